'use strict';
// A reqld of our own for one test file: a fresh directory, ports the system chose.

const {spawn} = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const {after, before} = require('node:test');
const r = require('rethinkdb');

const BINARY = process.env.REQLD_BIN || path.join(__dirname, '../../../build/release/reqld');
const START_TIMEOUT_MS = 60000;
const CONNECT_TIMEOUT_S = 20;

class Server {
  // Starts a server with further options; resolves once it listens.
  static async start(...options) {
    const server = new Server();
    server.scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'reqld-js-'));
    server.host = '127.0.0.1';
    server.options = options;
    await server.launch();
    return server;
  }

  // Starts the process on the same directory, after kill() or exit.
  launch() {
    const args = ['--directory', path.join(this.scratch, 'data'), '--bind', this.host, '--driver-port', '0',
      '--no-http-admin', ...this.options];
    this.log = '';
    this.process = spawn(BINARY, args, {cwd: this.scratch, stdio: ['ignore', 'pipe', 'pipe']});
    this.exited = new Promise((resolve) => this.process.once('close', (code, signal) => resolve({code, signal})));
    return new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`${BINARY}: ${why}\n${this.log}`));
      const timer = setTimeout(() => fail('named no port in time'), START_TIMEOUT_MS);
      const read = (chunk) => {
        this.log += chunk;
        const match = /driver connections on port (\d+)/.exec(this.log);
        if (match) {
          clearTimeout(timer);
          this.port = Number(match[1]);
          resolve();
        }
      };
      this.process.stdout.on('data', read);
      this.process.stderr.on('data', read);
      this.process.once('error', (error) => { clearTimeout(timer); fail(error.message); });
      this.process.once('exit', (code, signal) => { clearTimeout(timer); fail(`ended early: ${signal || code}`); });
    });
  }

  async kill() {
    this.process.kill('SIGKILL');
    await this.exited;
  }

  // Ends the server as an administrator would; an exit status other than 0 is an error.
  async stop() {
    let timer;
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill('SIGTERM');
      timer = setTimeout(() => this.process.kill('SIGKILL'), 30000);
    }
    const {code, signal} = await this.exited;
    clearTimeout(timer);
    fs.rmSync(this.scratch, {recursive: true, force: true});
    if (code !== 0) throw new Error(`the server ended with ${signal || code}\n${this.log.slice(-8000)}`);
  }

  // Processor time used so far, in hundredths of a second.
  cpuTicks() {
    const fields = fs.readFileSync(`/proc/${this.process.pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return Number(fields[11]) + Number(fields[12]);
  }

  connect(options = {}) {
    return r.connect({host: this.host, port: this.port, timeout: CONNECT_TIMEOUT_S, ...options});
  }

  // The error of a connection that must be refused.  The driver forgets its timer then, and would throw when it ends.
  async refusal(options = {}) {
    const timers = [];
    const {setTimeout} = global;
    global.setTimeout = (callback, delay, ...rest) => {
      const timer = setTimeout(callback, delay, ...rest);
      if (delay === CONNECT_TIMEOUT_S * 1000) timers.push(timer);
      return timer;
    };
    try {
      await this.connect(options);
    } catch (error) {
      return error;
    } finally {
      global.setTimeout = setTimeout;
      timers.forEach(clearTimeout);
    }
    throw new Error('the connection was not refused');
  }
}

// For a test file: one server and one connection around all of its tests.
function withServer(...options) {
  const context = {};
  before(async () => {
    context.server = await Server.start(...options);
    context.conn = await context.server.connect();
    // As in RethinkDB, a new server has a database `test`.
    await r.dbList().contains('test').branch(null, r.dbCreate('test')).run(context.conn);
  });
  after(async () => {
    if (context.conn) await context.conn.close({noreplyWait: false});
    if (context.server) await context.server.stop();
  });
  let tables = 0;
  // A new, empty table with a name of its own.
  context.table = async (tableOptions = {}) => {
    const name = `t${++tables}`;
    await r.tableCreate(name, tableOptions).run(context.conn);
    return r.table(name);
  };
  return context;
}

// The driver's arrays carry cursor methods of their own; this is the same data without.
const plain = (value) => JSON.parse(JSON.stringify(value));

module.exports = {Server, plain, withServer};
