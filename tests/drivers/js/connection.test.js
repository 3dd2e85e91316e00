'use strict';
const assert = require('node:assert/strict');
const net = require('node:net');
const {describe, it} = require('node:test');
const r = require('rethinkdb');
const {Server, plain, withServer} = require('./server');

// A query that keeps a core busy far longer than any test.
const endlessWork = () => r.range(1e12).map((n) => n.mul(2)).sum();

// A connection that is refused. The driver leaves the timer of its connect timeout running then, which would raise an
// uncaught error twenty seconds later: take it down.
const refused = async (connecting) => {
  const timers = [];
  const start = global.setTimeout;
  global.setTimeout = (...call) => {
    const timer = start(...call);
    timers.push(timer);
    return timer;
  };
  try {
    await assert.rejects(connecting(), {name: 'ReqlAuthError'});
  } finally {
    global.setTimeout = start;
    timers.forEach(clearTimeout);
  }
};

describe('connection', () => {
  const context = withServer();

  it('connects, runs a query, closes', async () => {
    const conn = await context.server.connect();
    assert.equal(await r.expr(1).add(2).run(conn), 3);
    assert.equal(conn.isOpen(), true);
    await conn.close();
    assert.equal(conn.isOpen(), false);
    await assert.rejects(async () => r.expr(1).run(conn), {name: 'ReqlDriverError'});
  });

  it('answers callbacks as well as promises', (t, done) => {
    r.expr([1, 2, 3]).run(context.conn, (error, result) => {
      done(error || (plain(result).join() === '1,2,3' ? undefined : new Error(`got ${result}`)));
    });
  });

  it('refuses a wrong password and an unknown user alike', async () => {
    for (const credentials of [{user: 'admin', password: 'wrong'}, {user: 'nobody', password: ''}]) {
      await refused(() => context.server.connect(credentials));
    }
  });

  it('tells who it is', async () => {
    const info = await context.conn.server();
    assert.match(info.id, /^[0-9a-f-]{36}$/);
    assert.equal(typeof info.name, 'string');
    assert.equal(info.proxy, false);
  });

  it('uses the database of the connection', async () => {
    await r.dbCreate('other').run(context.conn);
    await r.db('other').tableCreate('here').run(context.conn);
    const conn = await context.server.connect({db: 'other'});
    assert.deepEqual(plain(await r.tableList().run(conn)), ['here']);
    assert.equal(await r.table('here').count().run(conn), 0);
    conn.use('test');
    await assert.rejects(r.table('here').count().run(conn), {name: 'ReqlOpFailedError',
      msg: 'Table `test.here` does not exist.'});
    await conn.close();
    await r.dbDrop('other').run(context.conn);
  });

  it('does noreply, and noreplyWait waits for it', async () => {
    const table = await context.table();
    for (let id = 0; id < 200; id++) {
      await table.insert({id}).run(context.conn, {noreply: true});
    }
    await context.conn.noreplyWait();
    assert.equal(await table.count().run(context.conn), 200);
  });

  it('finishes noreply queries before close() resolves', async () => {
    const table = await context.table();
    const conn = await context.server.connect();
    for (let id = 0; id < 50; id++) await table.insert({id}).run(conn, {noreply: true});
    await conn.close();
    assert.equal(await table.count().run(context.conn), 50);
  });

  it('reconnects', async () => {
    const conn = await context.server.connect();
    const again = await conn.reconnect({noreplyWait: true});
    assert.equal(await r.expr('again').run(again), 'again');
    await again.close();
  });

  it('runs many outstanding queries on one connection, each with its own answer', async () => {
    const table = await context.table();
    await table.insert(r.range(1000).map((n) => ({id: n, square: n.mul(n)}))).run(context.conn);
    const answers = await Promise.all(Array.from({length: 1000}, (_, id) => id % 2
      ? table.get(id)('square').run(context.conn)
      : r.expr(id).mul(id).run(context.conn)));
    answers.forEach((square, id) => assert.equal(square, id * id));
  });

  it('serves many connections at once', async () => {
    const connections = await Promise.all(Array.from({length: 64}, () => context.server.connect()));
    const answers = await Promise.all(connections.map((conn, n) =>
      Promise.all(Array.from({length: 16}, (_, m) => r.expr(n).mul(100).add(m).run(conn)))));
    answers.forEach((row, n) => row.forEach((value, m) => assert.equal(value, n * 100 + m)));
    await Promise.all(connections.map((conn) => conn.close()));
  });

  it('does not let a slow query hold up a fast one on the same connection', async () => {
    const order = [];
    const slow = r.range(3000000).map((n) => n.mul(2)).sum().run(context.conn).then(() => order.push('slow'));
    const fast = r.expr(1).run(context.conn).then(() => order.push('fast'));
    await Promise.all([slow, fast]);
    assert.deepEqual(order, ['fast', 'slow']);
  });

  it('ends the queries of a client that vanishes', async () => {
    const conn = await context.server.connect();
    conn.on('error', () => {});
    const outcome = endlessWork().run(conn).then(() => 'answered', () => 'lost');
    assert.equal(await r.expr(1).run(conn), 1);
    conn.rawSocket.destroy();
    conn.cancel();
    assert.equal(await r.expr(1).run(context.conn), 1);
    // Idle again: less than a tenth of a second of work within one second.
    const deadline = Date.now() + 10000;
    for (let busy = Infinity; busy >= 10;) {
      assert.ok(Date.now() < deadline, 'the query still runs');
      const before = context.server.cpuTicks();
      await new Promise((resolve) => setTimeout(resolve, 1000));
      busy = context.server.cpuTicks() - before;
    }
    await Promise.race([outcome, Promise.resolve()]);
  });

  it('answers a stranger on the driver port in words', async () => {
    const socket = net.connect(context.server.port, context.server.host);
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    let text = '';
    for await (const chunk of socket) text += chunk;
    assert.match(text, /unsupported protocol version/);
  });

  it('keeps data and databases over a restart', async () => {
    const server = await Server.start();
    try {
      let conn = await server.connect();
      await r.dbCreate('kept').run(conn);
      await r.db('kept').tableCreate('things', {primaryKey: 'name'}).run(conn);
      await r.db('kept').table('things').insert([{name: 'a', n: 1}, {name: 'b', n: 2}]).run(conn);
      await conn.close();
      server.process.kill('SIGTERM');
      assert.deepEqual(await server.exited, {code: 0, signal: null});
      await server.launch();
      conn = await server.connect();
      assert.equal(await r.db('kept').table('things').count().run(conn), 2);
      assert.deepEqual(await r.db('kept').table('things').get('b').run(conn), {name: 'b', n: 2});

      await r.db('kept').table('things').insert({name: 'c', n: 3}).run(conn);
      conn.cancel();
      await server.kill();
      await server.launch();
      conn = await server.connect();
      assert.deepEqual(plain(await r.db('kept').table('things').orderBy('name')('n').run(conn)), [1, 2, 3]);
      await conn.close();
    } finally {
      await server.stop();
    }
  });

  it('ends within five seconds while queries and idle connections are open', async () => {
    const server = await Server.start();
    const conn = await server.connect();
    conn.on('error', () => {});
    const endless = endlessWork().run(conn).then(() => 'answered', () => 'lost');
    assert.equal(await r.expr(1).run(conn), 1);
    const began = Date.now();
    server.process.kill('SIGTERM');
    const {code} = await server.exited;
    assert.equal(code, 0);
    assert.ok(Date.now() - began < 5500, `took ${Date.now() - began} ms`);
    assert.equal(await endless, 'lost');
    await server.stop();
  });

  it('guards the admin account with --initial-password', async () => {
    const server = await Server.start('--initial-password', 'sésame, "open"=yes');
    try {
      await refused(() => server.connect());
      const conn = await server.connect({password: 'sésame, "open"=yes'});
      assert.equal(await r.expr(1).run(conn), 1);
      await conn.close();
    } finally {
      await server.stop();
    }
  });
});
