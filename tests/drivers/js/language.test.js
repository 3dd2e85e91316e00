'use strict';
// Parts of the language in the shape that the official JavaScript driver gives them.
const assert = require('node:assert/strict');
const {describe, it} = require('node:test');
const r = require('rethinkdb');
const {plain, withServer} = require('./server');

describe('geometry', () => {
  const context = withServer();
  const run = (query) => query.run(context.conn);

  it('builds, measures and compares', async () => {
    assert.deepEqual(plain(await run(r.point(7.4, 46.9).toGeojson())), {type: 'Point', coordinates: [7.4, 46.9]});
    assert.equal(Math.round(await run(r.distance(r.point(7.4, 46.9), r.point(12.5, 41.9), {unit: 'km'}))), 688);
    const square = r.polygon([0, 0], [4, 0], [4, 4], [0, 4]);
    const ring = square.polygonSub(r.polygon([1, 1], [3, 1], [3, 3], [1, 3]));
    assert.equal(await run(square.includes(r.point(2, 2))), true);
    assert.equal(await run(ring.intersects(r.point(2, 2))), false);
    assert.equal(await run(r.circle([0, 0], 10, {numVertices: 5}).toGeojson()('coordinates')(0).count()), 6);
    assert.equal(await run(r.circle([0, 0], 10, {fill: false}).fill().eq(r.circle([0, 0], 10))), true);
    await assert.rejects(run(r.point(0, 91)), {msg: 'Latitude must be between -90 and 90.  Got 91.'});
  });

  it('finds rows by a geospatial index', async () => {
    const table = await context.table();
    await run(table.insert([
      {id: 'Rome', at: r.point(12.5, 41.9)}, {id: 'Bern', at: r.point(7.4, 46.9)}, {id: 'Oslo', at: r.point(10.7, 59.9)}]));
    await run(table.indexCreate('at', {geo: true}));
    await run(table.indexWait('at'));
    const near = await run(table.getNearest(r.point(8, 46), {index: 'at', maxDist: 800, unit: 'km'}));
    assert.deepEqual(near.map((found) => found.doc.id), ['Bern', 'Rome']);
    const inside = await run(table.getIntersecting(r.circle([10, 50], 1200, {unit: 'km'}), {index: 'at'})('id'));
    assert.deepEqual((await inside.toArray()).sort(), ['Bern', 'Oslo', 'Rome']);
  });
});

describe('groups', () => {
  const context = withServer();
  const rows = r.expr([{k: 'a', n: 1}, {k: 'b', n: 2}, {k: 'a', n: 3}]);
  const run = (query, options = {}) => query.run(context.conn, options);

  it('are arrays of group and reduction', async () => {
    assert.deepEqual(plain(await run(rows.group('k').sum('n'))), [{group: 'a', reduction: 4}, {group: 'b', reduction: 2}]);
    const raw = await run(rows.group('k').count(), {groupFormat: 'raw'});
    assert.deepEqual(plain(raw), {$reql_type$: 'GROUPED_DATA', data: [['a', 2], ['b', 1]]});
  });

  it('go on through map, filter and ungroup', async () => {
    const query = rows.group('k').map(r.row('n').mul(10)).reduce((x, y) => x.add(y)).ungroup().orderBy(r.desc('reduction'));
    assert.deepEqual(plain(await run(query)), [{group: 'a', reduction: 40}, {group: 'b', reduction: 20}]);
  });
});

describe('functions and control', () => {
  const context = withServer();
  const run = (query, options = {}) => query.run(context.conn, options);

  it('do, branch, default, forEach, args', async () => {
    assert.equal(await run(r.do(2, 3, (x, y) => x.mul(y))), 6);
    assert.equal(await run(r.branch(false, 1, r.expr(1).gt(2), 2, 3)), 3);
    assert.equal(await run(r.expr({})('a').default('none')), 'none');
    assert.equal(await run(r.add(1, r.args([2, 3]))), 6);
    const table = await context.table();
    assert.equal((await run(r.range(4).forEach((n) => table.insert({id: n})))).inserted, 4);
  });

  it('r.js, also as a function', async () => {
    assert.equal(await run(r.js('6 * 7')), 42);
    assert.deepEqual(plain(await run(r.expr([1, 2]).map(r.js('(x) => x + 1')))), [2, 3]);
    await assert.rejects(run(r.js('while (true) {}', {timeout: 0.2})), {msg: /timed out after 0\.200 seconds/});
  });

  it('times are dates, and raw on request', async () => {
    const when = r.ISO8601('2021-03-04T05:06:07.089+01:00');
    assert.equal((await run(when)).getTime(), Date.UTC(2021, 2, 4, 4, 6, 7, 89));
    assert.equal((await run(when, {timeFormat: 'raw'})).timezone, '+01:00');
    assert.equal(await run(when.inTimezone('+03:00').hours()), 7);
    assert.equal(await run(when.dayOfWeek().eq(r.thursday)), true);
  });

  it('write hooks and conflict functions', async () => {
    const table = await context.table();
    await run(table.setWriteHook((ctx, before, after) => r.branch(after.eq(null), null, after.merge({hooked: true}))));
    await run(table.insert({id: 1, n: 1}));
    await run(table.insert({id: 1, n: 2}, {conflict: (key, before, after) => before.merge({n: before('n').add(after('n'))})}));
    assert.deepEqual(plain(await run(table.get(1))), {id: 1, n: 3, hooked: true});
    assert.match((await run(table.getWriteHook())).query, /^setWriteHook\(function\(/);
  });
});
