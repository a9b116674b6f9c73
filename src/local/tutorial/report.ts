import { inspect, isDeepStrictEqual } from 'node:util';
import { explain, FalseCheck } from './false-check.ts';

/** What is told while the tutorial runs. The first check that is false ends it. */
export interface Report {
  /**
   * Numbers and runs one step.
   * @throws FalseCheck at the first check that is false, and for whatever else went wrong in it
   */
  step<T>(title: string, action: () => Promise<T>): Promise<T>;
  /** What is done, as one would type it. */
  action(line: string): void;
  note(text: string): void;
  /** A check whose truth is known already. */
  passed(what: string, seen: string): void;
  /** @throws FalseCheck */
  equal<T>(what: string, seen: T, expected: NoInfer<T>): void;
  /** @throws FalseCheck */
  differs<T>(what: string, seen: T, unwanted: NoInfer<T>): void;
  /** @throws FalseCheck */
  matches(what: string, seen: string, pattern: RegExp): void;
  /** How many checks were true so far. */
  readonly checks: number;
}

export function createReport({ print }: { print: (line: string) => void }): Report {
  let steps = 0;
  let checks = 0;

  function passed(what: string, seen: string): void {
    checks += 1;
    print(`    ✓ ${what}: ${seen}`);
  }

  function failed({ what, expected, seen }: FalseCheck): void {
    print(`    ✗ ${what}`);
    print(`      expected: ${indented(expected)}`);
    print(`      seen:     ${indented(seen)}`);
  }

  return {
    async step(title, action) {
      steps += 1;
      print(`${String(steps).padStart(2)}. ${title}`);
      try {
        return await action();
      } catch (error) {
        const falseCheck =
          error instanceof FalseCheck
            ? error
            : new FalseCheck({ what: title, expected: 'no error', seen: explain(error) }, { cause: error });
        failed(falseCheck);
        print(`\nStep ${steps} isn't as it should be. The tutorial ends here.`);
        throw falseCheck;
      }
    },
    action: (line) => print(`    ${line}`),
    note: (text) => print(`    ${text}`),
    passed,
    equal(what, seen, expected) {
      if (!isDeepStrictEqual(seen, expected))
        throw new FalseCheck({ what, expected: show(expected), seen: show(seen) });
      passed(what, show(seen));
    },
    differs(what, seen, unwanted) {
      if (isDeepStrictEqual(seen, unwanted)) {
        throw new FalseCheck({ what, expected: `anything but ${show(unwanted)}`, seen: show(seen) });
      }
      passed(what, show(seen));
    },
    matches(what, seen, pattern) {
      if (!pattern.test(seen)) throw new FalseCheck({ what, expected: String(pattern), seen: show(seen) });
      passed(what, show(seen));
    },
    get checks() {
      return checks;
    },
  };
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : inspect(value, { breakLength: Infinity, depth: 6 });
}

function indented(text: string): string {
  return text.trimEnd().replaceAll('\n', '\n                ');
}
