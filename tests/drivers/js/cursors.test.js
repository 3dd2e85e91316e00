'use strict';
const assert = require('node:assert/strict');
const {describe, it} = require('node:test');
const r = require('rethinkdb');
const {withServer} = require('./server');

describe('cursors', () => {
  const context = withServer();
  const ROWS = 5000;

  async function filled() {
    const table = await context.table();
    await table.insert(r.range(ROWS).map((n) => ({id: n, text: r.expr('padding ').add(n.coerceTo('string'))})).coerceTo('array'))
        .run(context.conn);
    return table;
  }

  it('read a table over many batches, every row once', async () => {
    const table = await filled();
    const cursor = await table.run(context.conn, {maxBatchRows: 100});
    const seen = new Set();
    await cursor.eachAsync((row) => { seen.add(row.id); });
    assert.equal(seen.size, ROWS);
    assert.equal((await (await table.run(context.conn)).toArray()).length, ROWS);
  });

  it('go on while rows are written and deleted', async () => {
    const table = await filled();
    const cursor = await table.run(context.conn, {maxBatchRows: 50});
    const seen = new Map();
    for (let n = 0; n < 20; n++) {
      const row = await cursor.next();
      seen.set(row.id, 1);
    }
    await table.between(1000, 2000).delete().run(context.conn);
    await table.insert(r.range(ROWS, ROWS + 100).map((n) => ({id: n})).coerceTo('array')).run(context.conn);
    await cursor.eachAsync((row) => { seen.set(row.id, (seen.get(row.id) || 0) + 1); });
    for (const [id, times] of seen) assert.equal(times, 1, `row ${id} came ${times} times`);
    for (let id = 2000; id < ROWS; id++) assert.ok(seen.has(id), `row ${id} never came`);
  });

  it('close early, and the connection stays usable', async () => {
    const table = await filled();
    for (let n = 0; n < 50; n++) {
      const cursor = await table.run(context.conn, {maxBatchRows: 10});
      await cursor.next();
      await cursor.close();
    }
    const endless = await r.range().run(context.conn);
    assert.equal(await endless.next(), 0);
    await endless.close();
    assert.equal(await table.count().run(context.conn), ROWS);
  });

  it('run side by side on one connection', async () => {
    const table = await filled();
    const cursors = await Promise.all(Array.from({length: 20}, (_, n) =>
      table.between(n * 100, (n + 1) * 100).run(context.conn, {maxBatchRows: 7})));
    const counts = await Promise.all(cursors.map(async (cursor) => (await cursor.toArray()).length));
    assert.deepEqual(counts, Array(20).fill(100));
  });

  it('say when there is no more', async () => {
    const cursor = await r.range(2).run(context.conn);
    assert.equal(await cursor.next(), 0);
    assert.equal(await cursor.next(), 1);
    await assert.rejects(cursor.next(), {name: 'ReqlDriverError', msg: 'No more rows in the cursor.'});
  });

  it('deliver the rows before an error, then the error', async () => {
    const rows = [];
    const cursor = await r.range(1000).map((n) => r.branch(n.eq(900), r.error('at 900'), n))
        .run(context.conn, {maxBatchRows: 100});
    await assert.rejects(cursor.eachAsync((row) => { rows.push(row); }), {name: 'ReqlUserError', msg: 'at 900'});
    assert.ok(rows.length <= 900);
  });

  it('carry rows far larger than a batch', async () => {
    const table = await context.table();
    for (let id = 0; id < 8; id++) await table.insert({id, file: Buffer.alloc(2 << 20, id)}).run(context.conn);
    const cursor = await table.run(context.conn);
    let bytes = 0;
    await cursor.eachAsync((row) => {
      assert.ok(row.file.every((byte) => byte === row.id));
      bytes += row.file.length;
    });
    assert.equal(bytes, 8 * (2 << 20));
  });
});
