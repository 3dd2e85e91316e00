'use strict';
const assert = require('node:assert/strict');
const {describe, it} = require('node:test');
const r = require('rethinkdb');
const {plain, withServer} = require('./server');

describe('changefeeds', () => {
  const context = withServer();

  // Collects what a feed delivers until `enough` says so; fails after a minute.
  async function collect(feed, enough) {
    const seen = [];
    const timer = setTimeout(() => feed.close(), 60000);
    try {
      while (!enough(seen)) seen.push(plain(await feed.next()));
    } catch (error) {
      throw new Error(`the feed ended after ${JSON.stringify(seen)}: ${error.message}`);
    } finally {
      clearTimeout(timer);
    }
    return seen;
  }

  it('of a table deliver inserts, updates and deletes in order', async () => {
    const {conn} = context;
    const table = await context.table();
    const feed = await table.changes().run(conn);
    await table.insert({id: 1, n: 1}).run(conn);
    await table.get(1).update({n: 2}).run(conn);
    await table.get(1).update({n: 2}).run(conn);
    await table.get(1).delete().run(conn);
    const changes = await collect(feed, (seen) => seen.length === 3);
    assert.deepEqual(changes, [
      {old_val: null, new_val: {id: 1, n: 1}},
      {old_val: {id: 1, n: 1}, new_val: {id: 1, n: 2}},
      {old_val: {id: 1, n: 2}, new_val: null},
    ]);
    await feed.close();
  });

  it('of one document begin with what it is', async () => {
    const {conn} = context;
    const table = await context.table();
    await table.insert({id: 'a', n: 1}).run(conn);
    const feed = await table.get('a').changes({includeInitial: true}).run(conn);
    await table.get('a').update({n: 5}).run(conn);
    await table.get('b').replace({id: 'b'}).run(conn);
    const changes = await collect(feed, (seen) => seen.some((change) => change.new_val.n === 5));
    assert.deepEqual(changes[0], {new_val: {id: 'a', n: 1}});
    assert.deepEqual(changes.at(-1).new_val, {id: 'a', n: 5});
    await feed.close();
  });

  it('of a filter see documents come and go', async () => {
    const {conn} = context;
    const table = await context.table();
    const feed = await table.filter(r.row('n').gt(10)).changes({includeTypes: true}).run(conn);
    await table.insert([{id: 1, n: 5}, {id: 2, n: 15}]).run(conn);
    await table.get(1).update({n: 20}).run(conn);
    await table.get(2).update({n: 1}).run(conn);
    const changes = await collect(feed, (seen) => seen.length === 3);
    assert.deepEqual(changes.map(({type}) => type), ['add', 'add', 'remove']);
    await feed.close();
  });

  it('tell their state, and give the initial rows first', async () => {
    const {conn} = context;
    const table = await context.table();
    await table.insert(r.range(100).map((n) => ({id: n})).coerceTo('array')).run(conn);
    const feed = await table.changes({includeInitial: true, includeStates: true}).run(conn);
    const changes = await collect(feed, (seen) => seen.some(({state}) => state === 'ready'));
    assert.deepEqual(changes[0], {state: 'initializing'});
    assert.equal(new Set(changes.slice(1, -1).map(({new_val}) => new_val.id)).size, 100);
    await feed.close();
  });

  it('of an ordered limit keep the top', async () => {
    const {conn} = context;
    const table = await context.table();
    await table.insert([{id: 1}, {id: 2}, {id: 3}]).run(conn);
    const feed = await table.orderBy({index: r.desc('id')}).limit(2).changes({includeInitial: true}).run(conn);
    const top = new Map();
    const apply = ({old_val: before, new_val: now}) => {
      if (before) top.delete(before.id);
      if (now) top.set(now.id, now);
    };
    (await collect(feed, (seen) => seen.length === 2)).forEach(apply);
    assert.deepEqual([...top.keys()].sort(), [2, 3]);
    await table.insert({id: 9}).run(conn);
    (await collect(feed, (seen) => seen.length === 1)).forEach(apply);
    assert.deepEqual([...top.keys()].sort(), [3, 9]);
    await feed.close();
  });

  it('lose nothing and repeat nothing while writers run', async () => {
    const {conn} = context;
    const table = await context.table();
    await table.insert(r.range(50).map((n) => ({id: n, version: 0})).coerceTo('array')).run(conn);
    const writers = Array.from({length: 4}, async (_, writer) => {
      const own = await context.server.connect();
      for (let n = 1; n <= 100; n++) {
        const id = writer * 100 + (n % 60);
        await table.insert({id, version: n}, {conflict: 'replace', durability: 'soft'}).run(own);
        if (n % 7 === 0) await table.get(id).delete({durability: 'soft'}).run(own);
      }
      await own.close();
    });
    const feed = await table.changes({includeInitial: true, squash: false}).run(conn);
    const copy = new Map();
    const done = Promise.all(writers).then(() => table.insert({id: 'end'}).run(conn));
    await collect(feed, (seen) => {
      const change = seen.at(-1);
      if (!change) return false;
      const {old_val: before, new_val: now} = change;
      if (before) {
        assert.deepEqual(copy.get(before.id), before);
        copy.delete(before.id);
      } else {
        assert.ok(!copy.has(now.id), `${now.id} came twice`);
      }
      if (now) copy.set(now.id, now);
      return now && now.id === 'end';
    });
    await done;
    const rows = plain(await (await table.run(conn)).toArray());
    assert.deepEqual(new Map([...copy].sort()), new Map(rows.map((row) => [row.id, row]).sort()));
    await feed.close();
  });

  it('resume after a token, also on a server that was killed', async () => {
    let conn = await context.server.connect();
    const table = await context.table();
    await table.config().update({change_log: {retention_seconds: 3600}}).run(conn);
    const feed = await table.changes({resumable: true, includeStates: true}).run(conn);
    await table.insert(r.range(20).map((n) => ({id: n})).coerceTo('array')).run(conn);
    const seen = await collect(feed, (all) => all.length === 8);
    assert.equal(seen[0].state, 'ready');
    await conn.close({noreplyWait: false});
    await context.server.kill();
    await context.server.launch();
    context.conn = conn = await context.server.connect();
    const rest = await table.changes({resumeToken: seen.at(-1).token, includeStates: true}).run(conn);
    const changes = await collect(rest, (all) => all.length === 14);
    const ids = (all) => all.filter((change) => change.new_val).map((change) => change.new_val.id);
    assert.deepEqual([...ids(seen), ...ids(changes)], Array.from({length: 20}, (_, n) => n));
    assert.equal(changes.at(-1).state, 'ready');
    await rest.close();
    await assert.rejects(table.changes({resumeToken: 'nonsense'}).run(conn), /malformed/);
  });

  it('end when their table is dropped', async () => {
    const {conn} = context;
    await r.tableCreate('short_lived').run(conn);
    const feed = await r.table('short_lived').changes().run(conn);
    const ended = assert.rejects(feed.next(), /short_lived/);
    await r.tableDrop('short_lived').run(conn);
    await ended;
  });

  it('close quietly, by the hundred', async () => {
    const {conn} = context;
    const table = await context.table();
    const feeds = await Promise.all(Array.from({length: 200}, () => table.changes().run(conn)));
    await table.insert({id: 1}).run(conn);
    const first = await Promise.all(feeds.map((feed) => feed.next()));
    first.forEach((change) => assert.equal(change.new_val.id, 1));
    await Promise.all(feeds.map((feed) => feed.close()));
    assert.equal(await table.count().run(conn), 1);
  });

  it('are refused where there can be none', async () => {
    const table = await context.table();
    await assert.rejects(table.count().changes().run(context.conn), {name: 'ReqlQueryLogicError'});
    await assert.rejects(table.orderBy('x').changes().run(context.conn), {name: 'ReqlQueryLogicError'});
  });
});
