'use strict';
const assert = require('node:assert/strict');
const {createHash, randomBytes} = require('node:crypto');
const {describe, it} = require('node:test');
const r = require('rethinkdb');
const {withServer} = require('./server');

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const MB = 1024 * 1024;
// Around the sizes where base64 pads, where a value moves out of line, and up to a large upload.
const SIZES = [0, 1, 2, 3, 4, 255, 4096, 16383, 16384, 16385, 65536, 65537, MB, 5 * MB + 1, 40 * MB];

describe('binary values', () => {
  const context = withServer();

  for (const size of SIZES) {
    it(`stores and returns ${size} bytes unchanged`, async () => {
      const {conn} = context;
      const table = await context.table();
      const contents = randomBytes(size);
      const wrapped = size % 2 ? r.binary(contents) : contents;
      const inserted = await table.insert({id: 'f', user_id: 7, filename: 'x.bin', file: wrapped}).run(conn);
      assert.equal(inserted.inserted, 1, inserted.first_error);
      const row = await table.get('f').pluck('file', 'filename').run(conn);
      assert.deepEqual(Object.keys(row).sort(), ['file', 'filename']);
      assert.ok(Buffer.isBuffer(row.file));
      assert.equal(row.file.length, size);
      assert.equal(sha256(row.file), sha256(contents));
      assert.equal(await table.get('f')('file').count().run(conn), size);
      const listed = await (await table.filter({user_id: 7}).pluck('id', 'filename').run(conn)).toArray();
      assert.deepEqual(listed, [{id: 'f', filename: 'x.bin'}]);
      await table.get('f').update({filename: 'renamed.bin'}).run(conn);
      // The driver's way of gathering a reply takes time with the square of its size, so the largest comes once.
      if (size < 20 * MB) assert.equal(sha256(await table.get('f')('file').run(conn)), sha256(contents));
      assert.equal((await table.get('f').delete().run(conn)).deleted, 1);
    });
  }

  it('slices, compares, concatenates types and nests', async () => {
    const {conn} = context;
    const table = await context.table();
    const contents = randomBytes(300000);
    await table.insert({id: 1, file: contents, list: [contents, {again: contents}]}).run(conn);
    const file = table.get(1)('file');
    assert.ok((await file.slice(100000, 200001).run(conn)).equals(contents.subarray(100000, 200001)));
    assert.ok((await file.slice(-5).run(conn)).equals(contents.subarray(-5)));
    assert.equal(await file.typeOf().run(conn), 'PTYPE<BINARY>');
    assert.equal(await file.eq(r.binary(contents)).run(conn), true);
    assert.equal(await file.eq(table.get(1)('list').nth(1)('again')).run(conn), true);
    assert.equal(await file.lt(r.binary(Buffer.concat([contents, Buffer.from('x')]))).run(conn), true);
    const row = await table.get(1).run(conn);
    assert.ok(row.list[0].equals(contents));
    assert.ok(row.list[1].again.equals(contents));
    assert.equal(await r.binary(Buffer.from('grüße')).coerceTo('string').run(conn), 'grüße');
    assert.ok((await r.expr('grüße').coerceTo('binary').run(conn)).equals(Buffer.from('grüße')));
  });

  it('gives base64 on request', async () => {
    const raw = await r.binary(Buffer.from('hello')).run(context.conn, {binaryFormat: 'raw'});
    assert.equal(raw.$reql_type$, 'BINARY');
    assert.equal(raw.data.replace(/\s/g, ''), 'aGVsbG8=');
  });

  it('is a primary key', async () => {
    const {conn} = context;
    const table = await context.table();
    const key = randomBytes(20);
    await table.insert({id: key, n: 1}).run(conn);
    assert.equal((await table.get(key).run(conn)).n, 1);
    assert.equal(await table.getAll(key, randomBytes(20)).count().run(conn), 1);
    assert.equal((await table.insert({id: key}).run(conn)).errors, 1);
  });

  it('replaces and deletes files, alone and many at a time', async () => {
    const {conn} = context;
    const table = await context.table();
    const contents = Array.from({length: 20}, () => randomBytes(100000));
    await table.insert(contents.map((file, id) => ({id, file}))).run(conn);
    const fresh = randomBytes(200000);
    await table.get(3).update({file: fresh}).run(conn);
    await table.get(4).replace({id: 4, note: 'no file any more'}).run(conn);
    const rows = await table.orderBy('id').run(conn);
    rows.forEach(({id, file}) => {
      if (id === 4) assert.equal(file, undefined);
      else assert.equal(sha256(file), sha256(id === 3 ? fresh : contents[id]));
    });
    assert.equal((await table.delete().run(conn)).deleted, 20);
  });

  it('does not let two documents of one file lose it', async () => {
    const {conn} = context;
    const table = await context.table();
    const contents = randomBytes(500000);
    await table.insert({id: 'original', file: contents}).run(conn);
    await table.insert(table.get('original').merge({id: 'copy'})).run(conn);
    await table.get('original').delete().run(conn);
    assert.equal(sha256(await table.get('copy')('file').run(conn)), sha256(contents));
  });

  it('refuses text that is not base64', async () => {
    await assert.rejects(r.expr({$reql_type$: 'BINARY', data: '*no*'}).run(context.conn),
        (error) => /base64/i.test(error.msg));
  });
});
