'use strict';
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const {execFileSync} = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const {after, before, describe, it} = require('node:test');
const r = require('rethinkdb');
const {Server} = require('./server');

// A key and a certificate for this machine, signed by itself.
function makeCertificate(directory, name) {
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
    '-keyout', `${name}.key`, '-out', `${name}.pem`, '-days', '2', '-subj', `/CN=${name}`,
    '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'], {cwd: directory, stdio: 'ignore'});
  return path.join(directory, name);
}

describe('TLS', () => {
  let keys, server, ssl;

  before(async () => {
    keys = fs.mkdtempSync(path.join(os.tmpdir(), 'reqld-js-keys-'));
    const mine = makeCertificate(keys, 'server');
    server = await Server.start('--driver-tls-key', `${mine}.key`, '--driver-tls-cert', `${mine}.pem`);
    ssl = {ca: fs.readFileSync(`${mine}.pem`)};
  });
  after(async () => {
    if (server) await server.stop();
    fs.rmSync(keys, {recursive: true, force: true});
  });

  it('stores a file and follows a table over an encrypted connection', async () => {
    const conn = await server.connect({ssl});
    await r.dbCreate('test').run(conn).catch(() => {});
    await r.tableCreate('files').run(conn);
    const feed = await r.table('files').without('file').changes().run(conn);
    const contents = crypto.randomBytes(3 << 20);
    await r.table('files').insert({id: 1, file: contents}).run(conn);
    assert.deepEqual((await feed.next()).new_val, {id: 1});
    const {file} = await r.table('files').get(1).pluck('file').run(conn);
    assert.ok(file.equals(contents));
    await feed.close();
    await conn.close();
  });

  it('runs many queries at a time', async () => {
    const conn = await server.connect({ssl});
    const sums = await Promise.all([...Array(500).keys()].map((n) => r.expr(n).add(1).run(conn)));
    assert.deepEqual(sums, [...Array(500).keys()].map((n) => n + 1));
    await conn.close();
  });

  it('is known by its certificate only', async () => {
    const other = {ca: fs.readFileSync(`${makeCertificate(keys, 'other')}.pem`)};
    assert.match(String(await server.refusal({ssl: other})), /self.signed|certificate|unable to verify/i);
  });

  it('answers nobody who speaks in clear', async () => {
    assert.ok(await server.refusal());
    const conn = await server.connect({ssl});
    assert.equal(await r.expr(6).mul(7).run(conn), 42);
    await conn.close();
  });
});
