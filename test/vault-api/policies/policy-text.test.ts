import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { builtInPolicies, defaultPolicy } from '../../../src/vault-api/policies/built-in.ts';
import { parsePolicy, PolicyError, remarksOn } from '../../../src/vault-api/policies/policy-text.ts';

/** Path -> capabilities; a path that comes twice is named twice. */
function read(text: string): [string, string[]][] {
  return parsePolicy(text).map(({ path, capabilities }) => [path, [...capabilities]]);
}

describe('HCL', () => {
  test('as people write it', () => {
    const text = `
      # A comment
      name = "ignored"
      path "secret/*" { // another
        capabilities = ["create", "read",
          "list",]
      }
      /* and
         another */
      path "/sys/mounts" { capabilities = [ "read" ] comment = "why" }
      path "a/+/b" {
        policy = "read"
      }
      path "c" { "capabilities" = ["recover", "subscribe", "sudo", "patch", "update", "delete"] }
      path "d" {}
    `;
    expect(read(text)).toEqual([
      ['secret/*', ['create', 'read', 'list']],
      ['sys/mounts', ['read']],
      ['a/+/b', ['read', 'list']],
      ['c', ['recover', 'subscribe', 'sudo', 'patch', 'update', 'delete']],
      ['d', []],
    ]);
  });

  test.each<[string, string[]]>([
    ['deny', ['deny']],
    ['read', ['read', 'list']],
    ['write', ['create', 'read', 'update', 'delete', 'list']],
    ['sudo', ['create', 'read', 'update', 'delete', 'list', 'sudo']],
  ])('policy = "%s" as it was written before capabilities', (policy, expected) => {
    expect(read(`path "a" { policy = "${policy}" }`)).toEqual([['a', expected]]);
    const both = read(`path "a" { policy = "${policy}" capabilities = ["patch"] }`);
    expect(both).toEqual([['a', policy === 'deny' ? ['deny'] : [...expected, 'patch']]]);
  });

  test('deny stands alone', () => {
    expect(read('path "a" { capabilities = ["read", "deny", "sudo"] }')).toEqual([['a', ['deny']]]);
  });

  test('a path may come twice', () => {
    const text = 'path "a" { capabilities = ["read"] } path "a" { capabilities = ["deny"] }';
    expect(read(text)).toEqual([
      ['a', ['read']],
      ['a', ['deny']],
    ]);
  });

  test('nothing but a comment is a policy that grants nothing', () => {
    expect(read('# nothing')).toEqual([]);
    expect(read('')).toEqual([]);
  });
});

describe('JSON', () => {
  test.each([
    '{"path":{"a/*":{"capabilities":["read"]},"b":{"policy":"write"}}}',
    '{"path":[{"a/*":{"capabilities":["read"]}},{"b":{"policy":"write"}}]}',
    '{"path":[{"a/*":[{"capabilities":["read"]}]},{"b":{"policy":"write"}}], "name": "x"}',
    ' {"path":{"\\u0061/*":{"capabilities":["read"]},\n"b":{"policy":"write"}}}\n',
  ])('%s', (text) => {
    expect(read(text)).toEqual([
      ['a/*', ['read']],
      ['b', ['create', 'read', 'update', 'delete', 'list']],
    ]);
  });

  test('a name that comes twice counts twice, unlike in JSON.parse', () => {
    expect(read('{"path":{"a":{"capabilities":["deny"]},"a":{"capabilities":["read"]}}}')).toEqual([
      ['a', ['deny']],
      ['a', ['read']],
    ]);
  });
});

describe('refused', () => {
  const rule = (body: string) => `path "a" { ${body} }`;

  test.each<[string, string]>([
    [rule('capabilities = ["write"]'), 'path "a": invalid capability "write"'],
    [rule('capabilities = [1]'), 'path "a": invalid capability 1'],
    [rule('capabilities = "read"'), 'path "a": capabilities must be a list'],
    [rule('policy = "admin"'), 'path "a": invalid policy "admin"'],
    [rule('policy = ["read"]'), 'path "a": invalid policy ["read"]'],
    [rule('capability = ["read"]'), 'path "a": invalid key "capability"'],
    [rule('capabilities = ["read"] capabilities = ["deny"]'), 'path "a": "capabilities" is given twice'],
    [
      rule('capabilities = ["read"] allowed_parameters = { "x" = [] }'),
      'path "a": allowed_parameters is not supported',
    ],
    [rule('denied_parameters = { "*" = [] }'), 'path "a": denied_parameters is not supported'],
    [rule('required_parameters = ["x"]'), 'path "a": required_parameters is not supported'],
    [rule('min_wrapping_ttl = "1s"'), 'path "a": min_wrapping_ttl is not supported'],
    [rule('max_wrapping_ttl = 60'), 'path "a": max_wrapping_ttl is not supported'],
    [rule('mfa_methods = ["x"]'), 'path "a": mfa_methods is not supported'],
    [rule('control_group = { factor "x" { } }'), 'path "a": control_group is not supported'],
    [rule('subscribe_event_types = ["*"]'), 'path "a": subscribe_event_types is not supported'],
    ['path "a/+*" { capabilities = ["read"] }', `path "a/+*": invalid use of wildcards ('+*' is forbidden)`],
    ['path "a/{{identity.entity.id}}" { }', 'path "a/{{identity.entity.id}}": templates are not supported'],
    ['path "a/${x}" { }', 'line 1: interpolation ("${") is not supported'],
    ['path "a" = "read"', 'path "a": needs a block'],
    ['path = "a"', '"path" needs a path and a block'],
    ['paths "a" { }', 'invalid key "paths"'],
    ['{"paths":{}}', 'invalid key "paths"'],
    ['{"path":{"a":"read"}}', 'path "a": needs a block'],
    ['{"path":"a"}', '"path" needs a path and a block'],
    ['{"path":{}', 'it starts like JSON but is not valid JSON'],
    ['path "a" {\n  capabilities = ["read"]', 'line 2: unexpected the end'],
    ['path "a" { capabilities = ["read" "list"] }', 'line 1: unexpected "list"'],
    ['path "a" { capabilities = }', 'line 1: unexpected }'],
    ['path "a"\n\n"b', 'line 3: a string does not end'],
    ['path "a\n" { }', 'line 1: a string does not end'],
    ['path "\\q" { }', 'line 1: a string holds an escape or a character that is not supported'],
    ['/* path "a" { }', 'line 1: a comment does not end'],
    ['path <<EOF\na\nEOF\n{ }', 'line 1: heredocs are not supported'],
    ['path "a" ; { }', 'line 1: unexpected character'],
    ['} path "a" { }', 'line 1: unexpected }'],
    ['path "a" { } }', 'line 1: unexpected }'],
    ['just words', 'line 1: unexpected the end'],
    [`path "a" { x = ${'['.repeat(20)} }`, 'line 1: nested too deep'],
    [`path "a" { x = ${'{ y = '.repeat(20)}1`, 'line 1: nested too deep'],
  ])('%s', (text, message) => {
    expect(() => parsePolicy(text)).toThrow(new PolicyError(message));
  });

  test('whatever is sent, it is read or refused', () => {
    const token = fc.constantFrom(
      'path',
      'name',
      '"a"',
      '{',
      '}',
      '[',
      ']',
      '=',
      ':',
      ',',
      'capabilities',
      '"read"',
      '#',
      '\n',
      '1',
    );
    const text = fc.oneof(
      fc.array(token, { maxLength: 20 }).map((tokens) => tokens.join(' ')),
      fc.string(),
    );
    fc.assert(
      fc.property(text, (sent) => {
        try {
          parsePolicy(sent);
        } catch (error) {
          expect(error).toBeInstanceOf(PolicyError);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test('a hostile text takes no time', () => {
    const before = performance.now();
    for (const text of [
      '"\\'.repeat(16_000),
      '/*'.repeat(16_000),
      '{'.repeat(32_000),
      `${'['.repeat(8)}${'1,'.repeat(15_000)}`,
    ]) {
      expect(() => parsePolicy(text)).toThrow(PolicyError);
    }
    expect(performance.now() - before).toBeLessThan(2_000);
  });
});

test('a "*" in the middle is remarked on', () => {
  expect(remarksOn(parsePolicy('path "a/*/b" { } path "a/*" { } path "*" { }'))).toEqual([
    'path "a/*/b": a "*" is a wildcard only at the end; elsewhere it is the character itself',
  ]);
});

test.each([['default', defaultPolicy], ...builtInPolicies])('the built-in policy %s is a policy', (_name, text) => {
  expect(parsePolicy(text).length).toBeGreaterThan(0);
});
