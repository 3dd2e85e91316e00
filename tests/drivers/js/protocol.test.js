'use strict';
// docs/reql_status.md is made from the definition table: it has every term of the driver's protocol definition.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const {it} = require('node:test');
const {TermType} = require('rethinkdb/proto-def').Term;

const page = fs.readFileSync(path.join(__dirname, '..', '..', '..', 'docs', 'reql_status.md'), 'utf8');
const rows = new Map();
for (const line of page.split('\n')) {
  const cells = line.split('|').map((cell) => cell.trim().replaceAll('\\', ''));
  if (/^\d+$/.test(cells[1])) rows.set(cells[2], {number: Number(cells[1]), there: cells[3] === 'yes'});
}

it('the status page has every term of the protocol definition, by its number, as there', () => {
  for (const [name, number] of Object.entries(TermType)) {
    assert.deepEqual(rows.get(name), {number, there: true}, name);
  }
});

it('the status page has no other term but FORMAT', () => {
  const others = [...rows.keys()].filter((name) => !(name in TermType));
  assert.deepEqual(others, ['FORMAT']);
});
