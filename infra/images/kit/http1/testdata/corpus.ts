/**
 * Requests that are malformed, ambiguous or odd, and what has to become of each. Written for this project after the
 * classes of request smuggling in RFC 9112 §11.2, CWE-444 and PortSwigger's public research; no request is anybody else's.
 */

export interface CorpusCase {
  readonly name: string
  /** latin1. */
  readonly bytes: string
  /** What a server must do with the first request: refuse it with this status, or take it as (method, target, body). */
  readonly outcome: number | { readonly method: string; readonly target: string; readonly body: string }
}

const cases: CorpusCase[] = []
const refuse = (name: string, bytes: string, status = 400): void => {
  cases.push({ name, bytes, outcome: status })
}
const accept = (name: string, bytes: string, method: string, target: string, body = ''): void => {
  cases.push({ name, bytes, outcome: { method, target, body } })
}
const get = (...lines: string[]): string => ['GET / HTTP/1.1', 'Host: a', ...lines, '', ''].join('\r\n')
const post = (headers: readonly string[], body: string): string =>
  ['POST / HTTP/1.1', 'Host: a', ...headers, '', body].join('\r\n')
const chunked = (body: string): string => post(['Transfer-Encoding: chunked'], body)
const printable = (text: string): string => JSON.stringify(text)

// ---------------------------------------------------------------- two answers to "where does the body end"

refuse('CL and TE', post(['Content-Length: 4', 'Transfer-Encoding: chunked'], '0\r\n\r\n'))
refuse('TE and CL', post(['Transfer-Encoding: chunked', 'Content-Length: 6'], '0\r\n\r\nG'))
refuse('CL 0 and TE', post(['Content-Length: 0', 'Transfer-Encoding: chunked'], '0\r\n\r\n'))
refuse('two different CL', post(['Content-Length: 1', 'Content-Length: 2'], 'ab'))
refuse('two equal CL', post(['Content-Length: 2', 'Content-Length: 2'], 'ab'))
refuse('CL list', post(['Content-Length: 2, 2'], 'ab'))
refuse('CL list of different', post(['Content-Length: 1,2'], 'ab'))
for (const value of [
  '',
  '+2',
  '-2',
  '2.0',
  '0x2',
  '2 2',
  'two',
  '2;',
  '2,',
  ',2',
  '٢',
  '1e1',
  '2\t3',
  '9'.repeat(16),
  '99999999999999999999',
  "2'",
  '"2"',
  '２',
  '2_0',
  ' ',
  '\t',
  '2\u00a0',
  '\x0b2',
]) {
  const bytes = Buffer.from(value, 'utf8').toString('latin1')
  refuse(`CL ${printable(value)}`, post([`Content-Length: ${bytes}`], 'ab'))
}
for (const value of [
  'identity',
  'gzip',
  'gzip, chunked',
  'chunked, gzip',
  'chunked, chunked',
  'chunked, identity',
  'xchunked',
  'chunkedx',
  'chunk',
  '"chunked"',
  "'chunked'",
  'chunked;q=1',
  'chunked ,',
  ', chunked',
  '',
  'x',
  'cow',
  'chunked\x00',
  '\x0bchunked',
  'chunked\x0c',
  'ch\xfcnked',
  'identity, chunked',
  'chunked, cow',
  'Chunked\xa0',
]) {
  refuse(`TE ${printable(value)}`, post([`Transfer-Encoding: ${value}`], '0\r\n\r\n'))
}
refuse('two TE', post(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '0\r\n\r\n'))
refuse(
  'TE identity then chunked',
  post(['Transfer-Encoding: identity', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
)
refuse('TE chunked then x', post(['Transfer-Encoding: chunked', 'Transfer-Encoding: x'], '0\r\n\r\n'))
refuse('TE in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')
accept('TE in capitals', chunked('2\r\nab\r\n0\r\n\r\n').replace('chunked', 'CHUNKED'), 'POST', '/', 'ab')
accept(
  'TE with tab around',
  chunked('2\r\nab\r\n0\r\n\r\n').replace(' chunked', '\tchunked \t'),
  'POST',
  '/',
  'ab',
)
accept('CL with leading zeros', post(['Content-Length: 0002'], 'ab'), 'POST', '/', 'ab')
accept('GET with a body', 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab', 'GET', '/', 'ab')
accept('a look-alike of CL', get('Content_Length: 9', 'Content-Lengt: 9', 'Xontent-Length: 9'), 'GET', '/')
accept('a look-alike of TE', get('Transfer_Encoding: chunked', 'Xransfer-Encoding: chunked'), 'GET', '/')

// ---------------------------------------------------------------- header lines

for (const name of ['Content-Length', 'Transfer-Encoding', 'Host', 'X-A']) {
  refuse(`space before the colon of ${name}`, get(`${name} : 1`))
  refuse(`tab before the colon of ${name}`, get(`${name}\t: 1`))
  refuse(`space before ${name}`, get('X-B: 1', ` ${name}: 1`))
  refuse(`tab before ${name}`, get('X-B: 1', `\t${name}: 1`))
  refuse(`NUL in ${name}`, get(`${name}\x00: 1`))
  refuse(`CR in ${name}`, get(`${name}\r: 1`))
  refuse(`LF in ${name}`, get(`${name}\n: 1`))
  refuse(`bare LF after ${name}`, `GET / HTTP/1.1\r\nHost: a\r\n${name}: 1\nX-B: 2\r\n\r\n`)
  refuse(`bare CR in the value of ${name}`, `GET / HTTP/1.1\r\nHost: a\r\n${name}: 1\rX-B: 2\r\n\r\n`)
  refuse(`NUL in the value of ${name}`, get(`${name}: 1\x00`))
}
refuse('first line is folded', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n')
refuse('folded TE', post(['Transfer-Encoding:', ' chunked'], '0\r\n\r\n'))
refuse('folded value', get('X-A: b', ' c'))
refuse('folded with tab', get('X-A: b', '\tc'))
refuse('no colon', get('X-A'))
refuse('no name', get(': x'))
refuse('only a colon', get(':'))
for (const character of [
  '(',
  ')',
  '<',
  '>',
  '@',
  ',',
  ';',
  '\\',
  '"',
  '/',
  '[',
  ']',
  '?',
  '=',
  '{',
  '}',
  ' ',
  '\x7f',
  '\x01',
  '\x1f',
  '\x80',
  '\xff',
]) {
  refuse(`${printable(character)} in a name`, get(`X${character}A: 1`))
}
for (const character of ['\x01', '\x08', '\x0b', '\x0c', '\x0e', '\x1b', '\x1f', '\x7f']) {
  refuse(`${printable(character)} in a value`, get(`X-A: a${character}b`))
}
accept('obs-text in a value', get('X-A: caf\xe9'), 'GET', '/')
accept('tab in a value', get('X-A: a\tb'), 'GET', '/')
accept('an empty value', get('X-A:'), 'GET', '/')
accept('all token characters', get("!#$%&'*+-.^_`|~09azAZ: 1"), 'GET', '/')
accept('no space after the colon', get('X-A:b'), 'GET', '/')

// ---------------------------------------------------------------- request lines

refuse('only LF', 'GET / HTTP/1.1\nHost: a\n\n')
refuse('LF after the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n')
refuse('LF LF at the end', 'GET / HTTP/1.1\r\nHost: a\n\n')
refuse('CR CR LF', 'GET / HTTP/1.1\r\r\nHost: a\r\n\r\n')
refuse('two spaces before the target', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('two spaces before the version', 'GET /  HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('a tab as separator', 'GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('space at the end', 'GET / HTTP/1.1 \r\nHost: a\r\n\r\n')
refuse('space before the method', ' GET / HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('no version', 'GET /\r\nHost: a\r\n\r\n')
refuse('no target', 'GET HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('space in the target', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('fragment', 'GET /#x HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('NUL in the target', 'GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('obs-text in the target', 'GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('DEL in the target', 'GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('form feed as separator', 'GET\x0c/ HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('vertical tab before the version', 'GET /\x0bHTTP/1.1\r\nHost: a\r\n\r\n')
refuse('target without slash', 'GET index.html HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('backslash target', 'GET \\ HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('star without OPTIONS', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('a bad method', 'GE(T / HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('a very long method', `${'G'.repeat(33)} / HTTP/1.1\r\nHost: a\r\n\r\n`)
for (const version of [
  'http/1.1',
  'HTTP/1',
  'HTTP/1.',
  'HTTP/1.1x',
  'HTTP/11',
  'HTTP 1.1',
  'HTTP/1,1',
  'HTTP/1.01',
  'HTP/1.1',
  'HTTPS/1.1',
  'HTTP/1.a',
]) {
  refuse(`version ${version}`, `GET / ${version}\r\nHost: a\r\n\r\n`)
}
for (const version of ['HTTP/0.9', 'HTTP/2.0', 'HTTP/3.0', 'HTTP/9.9']) {
  refuse(`version ${version}`, `GET / ${version}\r\nHost: a\r\n\r\n`, 505)
}
for (const version of ['HTTP/1.2', 'HTTP/1.9']) {
  accept(`version ${version}`, `GET / ${version}\r\nHost: a\r\n\r\n`, 'GET', '/')
}
refuse('a long target', `GET /${'a'.repeat(9000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414)
accept('empty lines before the request', `\r\n\r\n${get()}`, 'GET', '/')
accept('an unknown method', 'BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n', 'BREW', '/pot')
accept('OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 'OPTIONS', '*')
accept('HTTP/1.0 without host', 'GET /old HTTP/1.0\r\n\r\n', 'GET', '/old')

// ---------------------------------------------------------------- which host

refuse('no host', 'GET / HTTP/1.1\r\nX-A: b\r\n\r\n')
refuse('no headers at all', 'GET / HTTP/1.1\r\n\r\n')
refuse('two hosts', get('Host: b'))
refuse('two equal hosts', get('Host: a'))
refuse('two hosts in HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\nhOST: b\r\n\r\n')
for (const host of [
  '',
  'a b',
  'a/b',
  'a?b',
  'user@a',
  'a:b',
  'a:80:80',
  'a#b',
  'a\\b',
  '[::1',
  '::1]',
  '[g::1]',
  'a:999999',
  'http://a',
  'a<b',
  '\xe9',
]) {
  refuse(`host ${printable(host)}`, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
}
accept('a host with an empty port', 'GET / HTTP/1.1\r\nHost: a.test:\r\n\r\n', 'GET', '/')
accept('absolute form, the default port', 'GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n', 'GET', '/')
accept(
  'absolute form, Host with the default port',
  'GET http://a/ HTTP/1.1\r\nHost: A:80\r\n\r\n',
  'GET',
  '/',
)
refuse("absolute form, another scheme's port", 'GET http://a:443/ HTTP/1.1\r\nHost: a\r\n\r\n')
accept('an IPv6 host', 'GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n', 'GET', '/')
refuse('absolute form, another host', 'GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('absolute form, another port', 'GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('absolute form with user', 'GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('absolute form, other scheme', 'GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('absolute form without host', 'GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('absolute form, no Host', 'GET http://a/ HTTP/1.1\r\nX-A: b\r\n\r\n')
refuse('absolute form with backslash', 'GET http://a\\b/ HTTP/1.1\r\nHost: a\r\n\r\n')
accept('absolute form', 'GET http://A/x?y HTTP/1.1\r\nHost: a\r\n\r\n', 'GET', '/x?y')
accept('absolute form without path', 'GET http://a HTTP/1.1\r\nHost: a\r\n\r\n', 'GET', '/')
accept('absolute form with only a query', 'GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n', 'GET', '/?q')
refuse('CONNECT', 'CONNECT b:80 HTTP/1.1\r\nHost: b:80\r\n\r\n', 405)
refuse('CONNECT with a path', 'CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n')
refuse('CONNECT with a URL', 'CONNECT http://b/ HTTP/1.1\r\nHost: b\r\n\r\n')

// ---------------------------------------------------------------- chunks

for (const [name, body] of [
  ['no size', '\r\n\r\n'],
  ['size with 0x', '0x2\r\nab\r\n0\r\n\r\n'],
  ['size with a sign', '+2\r\nab\r\n0\r\n\r\n'],
  ['negative size', '-2\r\nab\r\n0\r\n\r\n'],
  ['size of words', 'two\r\nab\r\n0\r\n\r\n'],
  ['space before the size', ' 2\r\nab\r\n0\r\n\r\n'],
  ['space after the size', '2 \r\nab\r\n0\r\n\r\n'],
  ['tab after the size', '2\t\r\nab\r\n0\r\n\r\n'],
  ['underscore in the size', '0_2\r\nab\r\n0\r\n\r\n'],
  ['NUL after the size', '2\x00\r\nab\r\n0\r\n\r\n'],
  ['a size beyond 2^52', '10000000000000\r\nab\r\n0\r\n\r\n'],
  ['a size that wraps 64 bits', '10000000000000002\r\nab\r\n0\r\n\r\n'],
  ['too many leading zeros', `${'0'.repeat(256)}2\r\nab\r\n0\r\n\r\n`],
  ['space after the size and no extension', '2 \t\r\nab\r\n0\r\n\r\n'],
  ['space in the size', '1 0\r\nab\r\n0\r\n\r\n'],
  ['LF after the size', '2\nab\r\n0\r\n\r\n'],
  ['CR after the size', '2\rab\r\n0\r\n\r\n'],
  ['LF after the data', '2\r\nab\n0\r\n\r\n'],
  ['CR after the data', '2\r\nab\r0\r\n\r\n'],
  ['data longer than its size', '2\r\nabc\r\n0\r\n\r\n'],
  ['data shorter than its size', '4\r\nab\r\n0\r\n\r\n'],
  ['nothing between chunks', '2\r\nab2\r\ncd\r\n0\r\n\r\n'],
  ['LF in an extension', '2;a\nb\r\nab\r\n0\r\n\r\n'],
  ['CR in an extension', '2;a\rb\r\nab\r\n0\r\n\r\n'],
  ['NUL in an extension', '2;a\x00\r\nab\r\n0\r\n\r\n'],
  ['a huge extension', `2;${'a'.repeat(300)}\r\nab\r\n0\r\n\r\n`],
  ['LF after the last chunk', '0\n\r\n'],
  ['LF at the very end', '0\r\n\n'],
  ['LF in the trailers', '0\r\nX-A: b\n\r\n'],
  ['folded trailer', '0\r\nX-A: b\r\n c\r\n\r\n'],
  ['space before the colon of a trailer', '0\r\nX-A : b\r\n\r\n'],
  ['no colon in a trailer', '0\r\nX-A\r\n\r\n'],
  ['CL in the trailers, malformed', '0\r\nContent-Length: x\r\n\r\n'],
  ['TE in the trailers, malformed', '0\r\nTransfer-Encoding: x\r\n\r\n'],
] as const) {
  refuse(`chunk: ${name}`, chunked(body))
}
accept('chunks', chunked('2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n'), 'POST', '/', 'abcde')
accept(
  'chunk sizes in capitals and small letters',
  chunked(`A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n`),
  'POST',
  '/',
  '01234567890123456789',
)
accept('chunk extension', chunked('2;name=value\r\nab\r\n0;x\r\n\r\n'), 'POST', '/', 'ab')
accept(
  'space around a chunk extension',
  chunked('2 \t; name = value \r\nab\r\n0 ;x\r\n\r\n'),
  'POST',
  '/',
  'ab',
)
accept('leading zeros', chunked(`${'0'.repeat(40)}2\r\nab\r\n0\r\n\r\n`), 'POST', '/', 'ab')
accept('several zeros at the end', chunked('2\r\nab\r\n000\r\n\r\n'), 'POST', '/', 'ab')
accept('trailers', chunked('2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n'), 'POST', '/', 'ab')
accept('no chunks but the last', chunked('0\r\n\r\n'), 'POST', '/', '')
refuse('an unknown expectation', get('Expect: 200-ok'), 417)

export const corpus: readonly CorpusCase[] = cases
