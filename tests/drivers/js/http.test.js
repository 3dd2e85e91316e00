'use strict';
const assert = require('node:assert/strict');
const {createHash} = require('node:crypto');
const http = require('node:http');
const {after, before, describe, it} = require('node:test');
const zlib = require('node:zlib');
const r = require('rethinkdb');
const {withServer} = require('./server');

// The smallest PNG: one transparent pixel.
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
    'base64');
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

describe('r.http', () => {
  const context = withServer();
  const requests = [];
  let web;
  let base;

  const answers = {
    '/avatar.png': (request, reply) => reply.writeHead(200, {'Content-Type': 'image/png'}).end(PNG),
    '/octets': (request, reply) => reply.writeHead(200, {'Content-Type': 'application/octet-stream'}).end(PNG),
    '/text': (request, reply) => reply.writeHead(200, {'Content-Type': 'text/plain'}).end('plain ☃'),
    '/json': (request, reply) => reply.writeHead(200, {'Content-Type': 'application/json'}).end('{"a": [1, 2.5, null]}'),
    '/gzip': (request, reply) => reply
        .writeHead(200, {'Content-Type': 'application/json', 'Content-Encoding': 'gzip'})
        .end(zlib.gzipSync('{"packed": true}')),
    '/moved': (request, reply) => reply.writeHead(302, {Location: `${base}/json`}).end(),
    '/missing': (request, reply) => reply.writeHead(404).end(),
    '/echo': (request, reply, body) => reply.writeHead(200, {'Content-Type': 'application/json'}).end(JSON.stringify(
        {method: request.method, url: request.url, headers: request.headers, body})),
    '/hang': () => {},
    '/page': (request, reply) => {
      const number = Number(new URL(request.url, base).searchParams.get('n') || 1);
      const headers = {'Content-Type': 'application/json'};
      if (number < 4) headers.Link = `<${base}/page?n=${number + 1}>; rel="next"`;
      reply.writeHead(200, headers).end(JSON.stringify([number * 10, number * 10 + 1]));
    },
  };

  before(async () => {
    web = http.createServer((request, reply) => {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk) => { body += chunk; }).on('end', () => {
        requests.push(request.url);
        const answer = answers[request.url.split('?')[0]];
        if (answer) answer(request, reply, body);
        else reply.writeHead(500).end();
      });
    });
    await new Promise((resolve) => web.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${web.address().port}`;
  });
  after(() => {
    web.closeAllConnections();
    web.close();
  });

  it('stores an avatar, with resultFormat binary', async () => {
    const {conn} = context;
    const users = await context.table();
    await users.insert({id: 1, name: 'ann'}).run(conn);
    const updated = await users.get(1).update({gravatar: r.http(`${base}/avatar.png`, {resultFormat: 'binary'})})
        .run(conn);
    assert.equal(updated.replaced, 1, updated.first_error);
    assert.equal(sha256((await users.get(1).run(conn)).gravatar), sha256(PNG));
  });

  it('stores an avatar by its content type alone', async () => {
    const {conn} = context;
    const users = await context.table();
    await users.insert([{id: 1}, {id: 2}]).run(conn);
    await users.get(1).update({gravatar: r.http(`${base}/avatar.png`)}).run(conn);
    await users.get(2).update({gravatar: r.http(`${base}/octets`)}).run(conn);
    assert.deepEqual((await users.orderBy('id')('gravatar').run(conn)).map(sha256), [sha256(PNG), sha256(PNG)]);
  });

  it('fetches once for one update', async () => {
    const users = await context.table();
    await users.insert({id: 1}).run(context.conn);
    requests.length = 0;
    await users.get(1).update({gravatar: r.http(`${base}/avatar.png`)}).run(context.conn);
    assert.deepEqual(requests, ['/avatar.png']);
  });

  it('refuses the same on many rows without nonAtomic, and does it with', async () => {
    const {conn} = context;
    const users = await context.table();
    await users.insert([{id: 1}, {id: 2}]).run(conn);
    await assert.rejects(users.update({gravatar: r.http(`${base}/avatar.png`)}).run(conn), {
      msg: 'Could not prove argument deterministic.  Maybe you want to use the non_atomic flag?'});
    const result = await users.update({gravatar: r.http(`${base}/avatar.png`)}, {nonAtomic: true}).run(conn);
    assert.equal(result.replaced, 2, result.first_error);
  });

  it('turns content types into values', async () => {
    const {conn} = context;
    assert.equal(await r.http(`${base}/text`).run(conn), 'plain ☃');
    assert.deepEqual(await r.http(`${base}/json`).run(conn), {a: [1, 2.5, null]});
    assert.deepEqual(await r.http(`${base}/gzip`).run(conn), {packed: true});
    assert.equal(await r.http(`${base}/json`, {resultFormat: 'text'}).run(conn), '{"a": [1, 2.5, null]}');
    assert.ok((await r.http(`${base}/text`, {resultFormat: 'binary'}).run(conn)).equals(Buffer.from('plain ☃')));
    assert.deepEqual(await r.http(`${base}/moved`).run(conn), {a: [1, 2.5, null]});
  });

  it('sends method, parameters, headers, body and credentials', async () => {
    const {conn} = context;
    const get = await r.http(`${base}/echo`, {params: {q: 'a b', n: 1}, header: {'X-Test': 'yes'},
      auth: {user: 'me', pass: 'secret'}}).run(conn);
    assert.equal(get.method, 'GET');
    assert.equal(new URL(get.url, base).searchParams.get('q'), 'a b');
    assert.equal(get.headers['x-test'], 'yes');
    assert.equal(get.headers.authorization, `Basic ${Buffer.from('me:secret').toString('base64')}`);
    const post = await r.http(`${base}/echo`, {method: 'POST', data: {field: 'v a'}}).run(conn);
    assert.equal(post.method, 'POST');
    assert.equal(new URLSearchParams(post.body).get('field'), 'v a');
  });

  it('pages as a stream', async () => {
    const cursor = await r.http(`${base}/page`, {page: 'link-next', pageLimit: 10}).run(context.conn);
    assert.deepEqual((await cursor.toArray()).flat(), [10, 11, 20, 21, 30, 31, 40, 41]);
  });

  it('reports failures, which default() catches', async () => {
    const {conn} = context;
    await assert.rejects(r.http(`${base}/missing`).run(conn), (error) => {
      assert.equal(error.name, 'ReqlNonExistenceError');
      assert.match(error.msg, /^Error in HTTP GET of `http:.*\/missing`: status code 404\./);
      return true;
    });
    assert.equal(await r.http(`${base}/missing`).default('none').run(conn), 'none');
    await assert.rejects(r.http('file:///etc/passwd').run(conn));
  });

  it('times out, and holds up nobody meanwhile', async () => {
    const {conn} = context;
    const began = Date.now();
    const hanging = Array.from({length: 20}, () =>
      r.http(`${base}/hang`, {timeout: 1, attempts: 1}).run(conn).then(() => 'answered', (error) => error.name));
    const quick = Date.now();
    assert.equal(await r.expr(1).run(conn), 1);
    assert.ok(Date.now() - quick < 900, 'a plain query waited for r.http');
    assert.deepEqual(await r.http(`${base}/json`).run(conn), {a: [1, 2.5, null]});
    assert.deepEqual(await Promise.all(hanging), Array(20).fill('ReqlNonExistenceError'));
    assert.ok(Date.now() - began < 15000);
  });

  it('fetches side by side', async () => {
    const all = await Promise.all(Array.from({length: 100}, () => r.http(`${base}/avatar.png`).run(context.conn)));
    assert.ok(all.every((bytes) => bytes.equals(PNG)));
  });
});
