'use strict';
// The community's drivers, which speak the protocol in their own ways (pools, pipelined handshakes).
const assert = require('node:assert/strict');
const {randomBytes} = require('node:crypto');
const {after, before, describe, it} = require('node:test');
const {Server} = require('./server');

describe('other drivers', () => {
  let server;
  before(async () => { server = await Server.start(); });
  after(async () => { await server.stop(); });

  it('rethinkdbdash', async () => {
    const r = require('rethinkdbdash')({servers: [{host: server.host, port: server.port}], silent: true, max: 5, buffer: 2});
    try {
      await r.tableCreate('dash');
      const file = randomBytes(100000);
      await r.table('dash').insert({id: 1, file, when: new Date(1e12)});
      const row = await r.table('dash').get(1);
      assert.ok(row.file.equals(file));
      assert.equal(row.when.getTime(), 1e12);
      await Promise.all(Array.from({length: 200}, (_, id) => r.table('dash').insert({id: id + 10, n: id})));
      assert.equal(await r.table('dash').filter(r.row('n').lt(50)).count(), 50);
      const rows = await r.table('dash').filter((doc) => doc.hasFields('n')).orderBy('id').limit(3)('n');
      assert.deepEqual(rows, [0, 1, 2]);
      await assert.rejects(r.table('nosuch').run(), /Table `test\.nosuch` does not exist/);
      const cursor = await r.table('dash').run({cursor: true, maxBatchRows: 20});
      assert.equal((await cursor.toArray()).length, 201);
    } finally {
      await r.getPoolMaster().drain();
    }
  });

  it('rethinkdb-ts', async () => {
    const {r} = require('rethinkdb-ts');
    const pool = await r.connectPool({servers: [{host: server.host, port: server.port}], silent: true, max: 5, buffer: 2,
      waitForHealthy: true});
    try {
      await r.tableCreate('ts').run();
      const file = randomBytes(100000);
      await r.table('ts').insert({id: 1, file: r.binary(file)}).run();
      assert.ok((await r.table('ts').get(1).run()).file.equals(file));
      await r.table('ts').insert(Array.from({length: 500}, (_, id) => ({id: id + 10}))).run();
      assert.equal(await r.table('ts').count().run(), 501);
      const cursor = await r.table('ts').getCursor(undefined, {maxBatchRows: 50});
      let rows = 0;
      for await (const row of cursor) rows += row.id > 0 ? 1 : 0;
      assert.equal(rows, 501);
      await assert.rejects(r.expr(1).div(0).run(), /Cannot divide by zero/);
    } finally {
      await pool.drain({noreplyWait: true});
    }
  });
});
