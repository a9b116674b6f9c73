import { fork, type ForkOptions } from 'node:child_process';
import { once } from 'node:events';

/** A process that says where it is in its first message, and answers each of ours with one. */
export interface Child<Started> {
  started: Started;
  ask<Answer>(question: string): Promise<Answer>;
  stop(): Promise<void>;
}

/** @throws Error if the process ends before it says anything */
export async function startChild<Started>(
  script: string,
  parameters: readonly string[],
  options: Pick<ForkOptions, 'env' | 'execArgv'> = {},
): Promise<Child<Started>> {
  const child = fork(script, [...parameters], { ...options, serialization: 'advanced' });
  const exited = once(child, 'exit');
  const ended = exited.then(() => {
    throw new Error(`${script} ended early`);
  });
  ended.catch(() => undefined);
  const next = async <Message>(): Promise<Message> => {
    const [message] = (await Promise.race([once(child, 'message'), ended])) as [Message];
    return message;
  };
  return {
    started: await next<Started>(),
    ask: (question) => {
      child.send(question);
      return next();
    },
    async stop() {
      child.kill();
      await exited;
    },
  };
}
