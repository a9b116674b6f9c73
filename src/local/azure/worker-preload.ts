/**
 * To be imported before the app in its process. A terminal sends Ctrl+C to every process it runs: the host alone says
 * when the app's process ends, after what it is doing.
 */
process.on('SIGINT', () => undefined);
