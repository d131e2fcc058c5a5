/**
 * Loaded before each test file (scripts/test.ts). Node's test runner follows every promise, only to name the test to which an error
 * belongs that nobody awaited: a third of the time of tests with many promises. Here it follows all else, by which it knows
 * what lies in which `describe`. Such an error still fails its file, mostly under no test's name.
 */
import hooks from 'node:async_hooks';

const { createHook } = hooks;

hooks.createHook = (callbacks) => {
  const isRunners = new Error().stack?.includes('node:internal/test_runner/');
  return createHook(isRunners ? { ...callbacks, trackPromises: false } : callbacks);
};
