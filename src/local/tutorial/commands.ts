/** A `k=v` of a command line; one name may come several times. */
export type Field = readonly [name: string, value: string];

/** What Vault's clients can be told to do, as far as the tutorial goes. */
export type Command = ReadingCommand | ChangingCommand;

export type ReadingCommand =
  { verb: 'status' } | { verb: 'list-mounts' } | { verb: 'read'; path: string } | { verb: 'list'; path: string };

export type ChangingCommand =
  | { verb: 'enable'; mount: string }
  | { verb: 'write'; path: string; fields: readonly Field[]; force?: true }
  | { verb: 'delete'; path: string };

/** The only type of engine that the tutorial enables, which is also where it is mounted unless told otherwise. */
export const engineType = 'keymgmt';

/** @returns the command line's arguments after the program's name. */
export function toArguments(command: Command): string[] {
  switch (command.verb) {
    case 'status':
      return ['status', '-format=json'];
    case 'list-mounts':
      return ['secrets', 'list', '-format=json'];
    case 'enable':
      return command.mount === engineType
        ? ['secrets', 'enable', engineType]
        : ['secrets', 'enable', `-path=${command.mount}`, engineType];
    case 'write': {
      const fields = command.fields.map(([name, value]) => `${name}=${value}`);
      return ['write', ...(command.force ? ['-f'] : []), command.path, ...fields];
    }
    case 'read':
      return ['read', '-format=json', command.path];
    case 'list':
    case 'delete':
      return [command.verb, command.path];
  }
}

/** @returns the command line as a shell takes it. */
export function toCommandLine(program: string, command: Command): string {
  return [program, ...toArguments(command).map(quoted)].join(' ');
}

function quoted(argument: string): string {
  return /^[\w./:=,@%+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
