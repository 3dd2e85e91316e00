'use strict';
const assert = require('node:assert/strict');
const {describe, it} = require('node:test');
const r = require('rethinkdb');
const {withServer} = require('./server');

describe('errors', () => {
  const context = withServer();

  // [what, query, class, message, the part of the query that the printed backtrace underlines]
  const cases = [
    ['type error', () => r.expr(1).add('a'), 'ReqlQueryLogicError', 'Expected type NUMBER but found STRING.', '"a"'],
    ['missing field', () => r.expr({a: 1})('b'), 'ReqlNonExistenceError', 'No attribute `b` in object:\n{\n\t"a":\t1\n}'],
    ['index out of bounds', () => r.expr([1, 2]).nth(5), 'ReqlNonExistenceError', 'Index out of bounds: 5'],
    ['division by zero', () => r.expr([1, r.expr(1).div(0)]), 'ReqlQueryLogicError', 'Cannot divide by zero.'],
    ['user error', () => r.error('mine'), 'ReqlUserError', 'mine'],
    ['missing table', () => r.table('nosuch').count(), 'ReqlOpFailedError', 'Table `test.nosuch` does not exist.'],
    ['missing database', () => r.db('nosuch').tableList(), 'ReqlOpFailedError', 'Database `nosuch` does not exist.'],
    ['coercion', () => r.expr([1, 2]).coerceTo('number'), 'ReqlQueryLogicError', 'Cannot coerce ARRAY to NUMBER.'],
  ];
  for (const [what, query, name, msg, underlined] of cases) {
    it(`${what}: ${name}`, async () => {
      await assert.rejects(async () => query().run(context.conn), (error) => {
        assert.equal(error.name, name);
        assert.equal(error.msg, msg);
        assert.ok(error instanceof r.Error.ReqlRuntimeError);
        assert.ok(error instanceof r.Error.ReqlError);
        assert.ok(Array.isArray(error.frames));
        if (underlined) assert.ok(underlinedPart(error.message).includes(underlined), error.message);
        return true;
      });
    });
  }

  // The text above the carets of a printed backtrace.
  function underlinedPart(message) {
    const lines = message.split('\n');
    const carets = lines.findIndex((line) => /^\s*\^+\s*$/.test(line));
    assert.ok(carets > 0, `no carets in:\n${message}`);
    return lines[carets - 1].slice(lines[carets].indexOf('^'), lines[carets].lastIndexOf('^') + 1);
  }

  it('underlines the culprit deep in a query', async () => {
    const query = r.expr([1, 2, 3]).map((x) => x.add(r.expr({deep: [1, r.expr(1).div(0)]})('deep')));
    await assert.rejects(query.run(context.conn), (error) => {
      assert.equal(error.msg, 'Cannot divide by zero.');
      assert.match(underlinedPart(error.message), /div\(0\)|div\(r\.expr\(0\)\)|\.div/);
      return true;
    });
  });

  it('unknown options are compile errors', async () => {
    const query = r.table('x').getAll(1);
    query.optargs.nonsense = r.expr(1);
    await assert.rejects(query.run(context.conn), {name: 'ReqlServerCompileError',
      msg: 'Unrecognized optional argument `nonsense`.'});
  });

  it('array limit', async () => {
    await assert.rejects(r.range(10).coerceTo('array').run(context.conn, {arrayLimit: 4}), (error) => {
      assert.equal(error.name, 'ReqlResourceLimitError');
      assert.match(error.msg, /^Array over size limit `4`\./);
      return true;
    });
  });

  it('writes report failures row by row', async () => {
    const table = await context.table();
    const result = await table.insert([{id: 1}, {id: 1}, {id: null}, {id: 2}]).run(context.conn);
    assert.equal(result.inserted, 2);
    assert.equal(result.errors, 2);
    const update = await table.update({n: r.row('missing').add(1)}).run(context.conn);
    assert.equal(update.errors, 2);
    assert.match(update.first_error, /^No attribute `missing` in object:/);
  });

  it('a failed query leaves the connection as it was', async () => {
    for (let n = 0; n < 100; n++) await assert.rejects(r.error('no').run(context.conn));
    assert.equal(await r.expr(1).run(context.conn), 1);
  });

  it('deep nesting is an error, not a crash', async () => {
    let query = r.expr(0);
    for (let depth = 0; depth < 1000; depth++) query = query.add(1);
    const outcome = await query.run(context.conn).then((value) => value, (error) => error.name);
    assert.ok(outcome === 1000 || /^Reql/.test(outcome), String(outcome));
    assert.equal(await r.expr(1).run(context.conn), 1);
  });
});
