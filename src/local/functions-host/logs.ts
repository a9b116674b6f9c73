import type { RpcLogLevel } from './rpc.ts';

/** One line of the host's log. */
export interface LogLine {
  /** As the Functions host names it, e.g. `Function.distribute.User`, `Host.Function.Console`. */
  category: string;
  level: RpcLogLevel;
  message: string;
}

export type LogSink = (line: LogLine) => void;

/** host.json `logging.logLevel`: category or its beginning (or `default`) -> least level that is written. */
export type LogLevels = Readonly<Record<string, string>>;

const order: readonly string[] = ['trace', 'debug', 'information', 'warning', 'error', 'critical', 'none'];

/**
 * Lets through what host.json asks for; the longest category that a line's own begins with decides, `default` for the
 * rest, `Information` when nothing is said.
 */
export function filterLog(sink: LogSink, levels: LogLevels): LogSink {
  const rules = Object.entries(levels)
    .map(([category, level]) => ({ category: category.toLowerCase(), least: order.indexOf(level.toLowerCase()) }))
    .sort((a, b) => b.category.length - a.category.length);
  const fallback = rules.find(({ category }) => category === 'default')?.least ?? order.indexOf('information');
  return (line) => {
    const category = line.category.toLowerCase();
    const rule = rules.find((one) => category === one.category || category.startsWith(`${one.category}.`));
    const least = rule?.least ?? fallback;
    if (line.level !== 'none' && order.indexOf(line.level) >= least) sink(line);
  };
}
