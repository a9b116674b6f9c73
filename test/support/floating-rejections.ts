/** For a worker: a promise is rejected and nobody looks, once for each signal. */
process.on('SIGUSR2', () => {
  // eslint-disable-next-line @typescript-eslint/no-floating-promises -- that is the case
  Promise.reject(new Error('nobody waits for this, and it holds secret-of-a-library'));
});
