'use strict';
const assert = require('node:assert/strict');
const {describe, it} = require('node:test');
const r = require('rethinkdb');
const {plain, withServer} = require('./server');

describe('databases and tables', () => {
  const context = withServer();

  it('creates, lists and drops databases', async () => {
    const {conn} = context;
    const created = await r.dbCreate('shop').run(conn);
    assert.equal(created.dbs_created, 1);
    assert.ok((await r.dbList().run(conn)).includes('shop'));
    await assert.rejects(r.dbCreate('shop').run(conn), {msg: 'Database `shop` already exists.'});
    const dropped = await r.dbDrop('shop').run(conn);
    assert.equal(dropped.dbs_dropped, 1);
    await assert.rejects(r.dbDrop('shop').run(conn), {msg: 'Database `shop` does not exist.'});
  });

  it('creates, lists and drops tables', async () => {
    const {conn} = context;
    const created = await r.tableCreate('orders', {primaryKey: 'number', durability: 'soft'}).run(conn);
    assert.equal(created.tables_created, 1);
    assert.ok((await r.tableList().run(conn)).includes('orders'));
    assert.equal((await r.table('orders').info().run(conn)).primary_key, 'number');
    await assert.rejects(r.tableCreate('orders').run(conn), {msg: 'Table `test.orders` already exists.'});
    assert.deepEqual(await r.table('orders').sync().run(conn), {synced: 1});
    assert.equal((await r.tableDrop('orders').run(conn)).tables_dropped, 1);
    await assert.rejects(r.table('orders').run(conn), {name: 'ReqlOpFailedError'});
  });
});

describe('documents', () => {
  const context = withServer();
  const noChange = {deleted: 0, errors: 0, inserted: 0, replaced: 0, skipped: 0, unchanged: 0};

  it('inserts, gets, generates keys', async () => {
    const {conn} = context;
    const table = await context.table();
    const document = {id: 1, text: 'naïve ☃ 𝄞 "quoted" \\ \n', list: [1, 2.5, -1e-7, null, true], nested: {a: {b: []}}};
    assert.deepEqual(await table.insert(document).run(conn), {...noChange, inserted: 1});
    assert.deepEqual(await table.get(1).run(conn), document);
    assert.equal(await table.get(2).run(conn), null);
    const generated = await table.insert([{a: 1}, {a: 2}]).run(conn);
    assert.equal(generated.generated_keys.length, 2);
    for (const key of generated.generated_keys) {
      assert.match(key, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
    assert.deepEqual((await table.get(generated.generated_keys[1]).run(conn)).a, 2);
  });

  it('treats conflicts as asked', async () => {
    const {conn} = context;
    const table = await context.table();
    await table.insert({id: 1, a: 1}).run(conn);
    const refused = await table.insert({id: 1, b: 2}).run(conn);
    assert.equal(refused.errors, 1);
    assert.match(refused.first_error, /^Duplicate primary key `id`:\n\{/);
    await table.insert({id: 1, b: 2}, {conflict: 'update'}).run(conn);
    assert.deepEqual(await table.get(1).run(conn), {id: 1, a: 1, b: 2});
    await table.insert({id: 1, c: 3}, {conflict: 'replace'}).run(conn);
    assert.deepEqual(await table.get(1).run(conn), {id: 1, c: 3});
    await table.insert({id: 1, c: 4}, {conflict: (id, before, now) => before.merge({c: before('c').add(now('c'))})})
        .run(conn);
    assert.deepEqual(await table.get(1).run(conn), {id: 1, c: 7});
  });

  it('updates, replaces and deletes', async () => {
    const {conn} = context;
    const table = await context.table();
    await table.insert(r.range(10).map((n) => ({id: n, n}))).run(conn);
    assert.deepEqual(await table.get(3).update({n: r.row('n').add(10)}).run(conn), {...noChange, replaced: 1});
    assert.deepEqual(await table.get(3).update({n: 13}).run(conn), {...noChange, unchanged: 1});
    assert.deepEqual(await table.get(99).update({n: 1}).run(conn), {...noChange, skipped: 1});
    const changed = await table.get(3).update({m: 1}, {returnChanges: true}).run(conn);
    assert.deepEqual(changed.changes, [{old_val: {id: 3, n: 13}, new_val: {id: 3, n: 13, m: 1}}]);
    await table.get(3).replace(r.row.without('n')).run(conn);
    assert.deepEqual(await table.get(3).run(conn), {id: 3, m: 1});
    assert.equal((await table.filter(r.row('id').ge(5)).update({big: true}).run(conn)).replaced, 5);
    assert.equal((await table.filter({big: true}).delete().run(conn)).deleted, 5);
    assert.equal(await table.count().run(conn), 5);
    assert.equal((await table.delete().run(conn)).deleted, 5);
    assert.equal(await table.isEmpty().run(conn), true);
  });

  it('reads by key, by range and by condition', async () => {
    const {conn} = context;
    const table = await context.table();
    await table.insert(r.range(100).map((n) => ({id: n, tag: n.mod(3), deep: {x: n}}))).run(conn);
    const ids = async (query) => (await (await query.run(conn)).toArray()).map((row) => row.id).sort((a, b) => a - b);
    assert.deepEqual(await ids(table.getAll(3, 5, 500)), [3, 5]);
    assert.deepEqual(await ids(table.between(10, 13)), [10, 11, 12]);
    assert.deepEqual(await ids(table.between(10, 13, {leftBound: 'open', rightBound: 'closed'})), [11, 12, 13]);
    assert.deepEqual(await ids(table.between(r.minval, 2)), [0, 1]);
    assert.equal(await table.filter({tag: 1}).count().run(conn), 33);
    assert.equal(await table.filter((row) => row('deep')('x').lt(10).and(row('tag').eq(0))).count().run(conn), 4);
    assert.deepEqual(plain(await table.orderBy(r.desc('id')).limit(2).pluck('id').run(conn)), [{id: 99}, {id: 98}]);
    assert.deepEqual(await table.get(7).pluck({deep: 'x'}).run(conn), {deep: {x: 7}});
    assert.deepEqual(await table.get(7).without('deep').run(conn), {id: 7, tag: 1});
  });

  it('joins, maps, reduces, groups', async () => {
    const {conn} = context;
    const users = await context.table();
    const posts = await context.table();
    await users.insert([{id: 1, name: 'ann'}, {id: 2, name: 'bob'}]).run(conn);
    await posts.insert([{id: 10, by: 1}, {id: 11, by: 2}, {id: 12, by: 1}, {id: 13, by: 9}]).run(conn);
    const joined = await posts.eqJoin('by', users).without({right: 'id'}).zip().orderBy('id').run(conn);
    assert.deepEqual(plain(joined), [{id: 10, by: 1, name: 'ann'}, {id: 11, by: 2, name: 'bob'}, {id: 12, by: 1, name: 'ann'}]);
    assert.equal(await posts.innerJoin(users, (p, u) => p('by').eq(u('id'))).count().run(conn), 3);
    assert.equal(await posts.outerJoin(users, (p, u) => p('by').eq(u('id'))).count().run(conn), 4);
    assert.equal(await posts('id').reduce((a, b) => a.add(b)).run(conn), 46);
    assert.equal(await posts.sum('by').run(conn), 13);
    assert.deepEqual(plain(await posts.group('by').count().run(conn)),
        [{group: 1, reduction: 2}, {group: 2, reduction: 1}, {group: 9, reduction: 1}]);
    assert.deepEqual(plain(await r.expr([[1, 2], [3]]).concatMap((x) => x).map((x) => x.mul(2)).run(conn)), [2, 4, 6]);
    assert.equal(await r.branch(r.expr(1).gt(2), 'more', r.expr(2).gt(1), 'less', 'none').run(conn), 'less');
    assert.equal(await r.do(3, 4, (a, b) => a.mul(b)).run(conn), 12);
    assert.equal(await r.expr({})('missing').default('here').run(conn), 'here');
  });

  it('carries times there and back', async () => {
    const {conn} = context;
    const table = await context.table();
    const when = new Date('2021-03-04T05:06:07.089Z');
    await table.insert({id: 1, when}).run(conn);
    const row = await table.get(1).run(conn);
    assert.ok(row.when instanceof Date);
    assert.equal(row.when.getTime(), when.getTime());
    const raw = await table.get(1)('when').run(conn, {timeFormat: 'raw'});
    assert.equal(raw.$reql_type$, 'TIME');
    assert.equal(raw.epoch_time, when.getTime() / 1000);
    assert.equal(await table.get(1)('when').eq(when).run(conn), true);
    assert.equal(await table.get(1)('when').year().run(conn), 2021);
    const now = await r.now().run(conn);
    assert.ok(Math.abs(now.getTime() - Date.now()) < 60000);
    assert.equal(await r.ISO8601('2013-08-09T18:53:15.012+01:00').toISO8601().run(conn),
        '2013-08-09T18:53:15.012+01:00');
  });

  it('takes a document of a million characters and one of a thousand fields', async () => {
    const {conn} = context;
    const table = await context.table();
    const wide = Object.fromEntries(Array.from({length: 1000}, (_, n) => [`field${n}`, n]));
    await table.insert([{id: 1, text: 'x'.repeat(1e6)}, {id: 2, ...wide}]).run(conn);
    assert.equal((await table.get(1).run(conn)).text.length, 1e6);
    assert.deepEqual(await table.get(2).run(conn), {id: 2, ...wide});
  });

  it('keeps increments of many connections apart', async () => {
    const table = await context.table();
    await table.insert({id: 'counter', n: 0}).run(context.conn);
    const connections = await Promise.all(Array.from({length: 8}, () => context.server.connect()));
    await Promise.all(connections.flatMap((conn) => Array.from({length: 50}, () =>
      table.get('counter').update({n: r.row('n').add(1)}, {durability: 'soft'}).run(conn))));
    assert.equal(await table.get('counter')('n').run(context.conn), 400);
    await Promise.all(connections.map((conn) => conn.close()));
  });
});
