import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporary } from '../testing/temporary.ts';
import { type Element, parseXml } from '../testing/xml.ts';
import { planService, programOf } from './install.ts';
import { type Program, serviceFile } from './service-file.ts';

const ODD = {
  node: '/opt/a b/node',
  script: '/opt/100% "x" $HOME\\/it\'s <&>.mjs',
  home: '/var/lib/höld fast',
  root: true,
};
const program = (changes: Partial<Program> = {}): Program => ({ ...ODD, ...changes });

describe('the systemd unit', () => {
  const analyze = (t: { skip(why: string): void }, folder: string, content: string, user: boolean) => {
    const path = join(folder, 'holdfast.service');
    writeFileSync(path, content);
    const ended = spawnSync('systemd-analyze', ['verify', ...(user ? ['--user'] : []), '--man=no', path], {
      encoding: 'utf8',
      env: { ...process.env, XDG_RUNTIME_DIR: folder },
    });
    if (ended.error) t.skip('systemd-analyze is not installed');
    else assert.equal(ended.stderr.trim(), '', content);
  };

  it('passes systemd-analyze, for the machine and for a user', (t) => {
    for (const root of [true, false]) {
      analyze(t, temporary(t), serviceFile('systemd', { ...programOf({ home: '/var/lib/holdfast', root }) }), !root);
    }
  });

  it('passes with paths that hold blanks, quotes, percent and dollar signs', (t) => {
    const folder = temporary(t);
    const script = join(folder, '100% "x" $HOME it\'s.mjs');
    writeFileSync(script, '');
    analyze(
      t,
      folder,
      serviceFile('systemd', { node: process.execPath, script, home: `${folder}/ä b`, root: true }),
      false,
    );
  });

  it('restarts for ever, and is stopped by one signal', () => {
    const unit = serviceFile('systemd', program());
    for (const line of [
      'Type=exec',
      'Restart=always',
      'StartLimitIntervalSec=0',
      'KillMode=mixed',
      'OOMPolicy=continue',
    ]) {
      assert.ok(unit.includes(`\n${line}\n`), line);
    }
  });
});

/** launchd.plist(5): the keys that we use and the type of each. */
const LAUNCHD: Readonly<Record<string, string>> = {
  Label: 'string',
  ProgramArguments: 'array',
  EnvironmentVariables: 'dict',
  RunAtLoad: 'boolean',
  KeepAlive: 'boolean',
  ThrottleInterval: 'integer',
  ExitTimeOut: 'integer',
  ProcessType: 'string',
  Nice: 'integer',
  LowPriorityIO: 'boolean',
  Umask: 'integer',
};

/** A dictionary of the property list format: keys and values by turns. */
function dictionary(element: Element): Map<string, Element> {
  assert.equal(element.name, 'dict');
  assert.equal(element.children.length % 2, 0);
  const pairs = new Map<string, Element>();
  for (let i = 0; i < element.children.length; i += 2) {
    const [key, value] = element.children.slice(i, i + 2) as [Element, Element];
    assert.equal(key.name, 'key');
    assert.ok(!pairs.has(key.text), `${key.text} twice`);
    pairs.set(key.text, value);
  }
  return pairs;
}

describe('the launchd file', () => {
  it('is a property list with keys that launchd knows, each of its type', () => {
    const plist = parseXml(serviceFile('launchd', program()));
    assert.equal(plist.name, 'plist');
    assert.equal(plist.attributes['version'], '1.0');
    assert.equal(plist.children.length, 1);
    const pairs = dictionary(plist.children[0]!);
    for (const [key, value] of pairs) {
      const type = value.name === 'true' || value.name === 'false' ? 'boolean' : value.name;
      assert.equal(type, LAUNCHD[key], key);
      if (type === 'integer') assert.match(value.text, /^\d+$/, key);
    }
    assert.deepEqual(
      pairs.get('ProgramArguments')?.children.map(({ name, text }) => [name, text]),
      [
        ['string', ODD.node],
        ['string', ODD.script],
        ['string', 'run'],
      ],
    );
    assert.equal(dictionary(pairs.get('EnvironmentVariables')!).get('HOLDFAST_HOME')?.text, ODD.home);
    assert.equal(pairs.get('Umask')?.text, String(0o077));
  });
});

type Rule = {
  readonly children?: Readonly<Record<string, Rule>>;
  readonly text?: RegExp;
  readonly attributes?: readonly string[];
};
const BOOLEAN: Rule = { text: /^(true|false)$/ };
const DURATION: Rule = { text: /^P(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+S)?)?$/ };
const TRIGGER: Rule = { children: { Enabled: BOOLEAN } };

/** The part that we use of Microsoft's Task Scheduler Schema ([MS-TSCH] 2.5), version 1.2. */
const TASK: Rule = {
  attributes: ['version', 'xmlns'],
  children: {
    RegistrationInfo: { children: { Description: { text: /./ } } },
    Triggers: { children: { BootTrigger: TRIGGER, LogonTrigger: TRIGGER } },
    Principals: {
      children: {
        Principal: {
          attributes: ['id'],
          children: {
            UserId: { text: /^S-1-5-18$/ },
            LogonType: { text: /^(InteractiveToken|S4U|Password)$/ },
            RunLevel: { text: /^(LeastPrivilege|HighestAvailable)$/ },
          },
        },
      },
    },
    Settings: {
      children: {
        MultipleInstancesPolicy: { text: /^(Parallel|Queue|IgnoreNew|StopExisting)$/ },
        DisallowStartIfOnBatteries: BOOLEAN,
        StopIfGoingOnBatteries: BOOLEAN,
        StartWhenAvailable: BOOLEAN,
        ExecutionTimeLimit: DURATION,
        Priority: { text: /^(10|\d)$/ },
        RestartOnFailure: { children: { Interval: DURATION, Count: { text: /^([1-9]\d{0,2})$/ } } },
      },
    },
    Actions: {
      attributes: ['Context'],
      children: { Exec: { children: { Command: { text: /./ }, Arguments: { text: /./ } } } },
    },
  },
};

function conforms(element: Element, rule: Rule, path = element.name): void {
  for (const name of Object.keys(element.attributes)) assert.ok(rule.attributes?.includes(name), `${path} @${name}`);
  if (rule.text) assert.match(element.text, rule.text, path);
  else assert.equal(element.text.trim(), '', path);
  const names = element.children.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length, `${path} has an element twice`);
  for (const child of element.children) {
    const below = rule.children?.[child.name];
    assert.ok(below, `${path} may not hold ${child.name}`);
    conforms(child, below, `${path}/${child.name}`);
  }
}

const find = (element: Element, ...names: string[]): Element | undefined =>
  names.reduce<Element | undefined>((at, name) => at?.children.find((child) => child.name === name), element);

describe('the Windows task', () => {
  for (const root of [true, false]) {
    it(`fits the schema of the task scheduler (${root ? 'machine' : 'user'})`, () => {
      const task = parseXml(serviceFile('windows', program({ root })));
      assert.equal(task.name, 'Task');
      conforms(task, TASK);
      assert.equal(find(task, 'Settings', 'ExecutionTimeLimit')?.text, 'PT0S');
      assert.equal(
        find(task, 'Principals', 'Principal')?.attributes['id'],
        find(task, 'Actions')?.attributes['Context'],
      );
      assert.ok(find(task, 'Triggers', root ? 'BootTrigger' : 'LogonTrigger'));
    });
  }

  it('starts the program with its state folder, whatever the paths hold', () => {
    const task = parseXml(serviceFile('windows', program()));
    const line = find(task, 'Actions', 'Exec', 'Arguments')?.text ?? '';
    assert.ok(line.includes(`$env:HOLDFAST_HOME = '/var/lib/höld fast'`), line);
    assert.ok(line.includes(`& '/opt/a b/node' '/opt/100% "x" $HOME\\/it''s <&>.mjs' run`), line);
  });

  it('is written as the scheduler reads it', () => {
    assert.equal(planService('windows', program(), { userHome: 'C:\\Users\\Ada', uid: 0 }).encoding, 'utf16le');
  });
});

describe('the plan of an installation', () => {
  const place = { userHome: '/home/ada', uid: 1000 };

  it('goes where the system looks, for the machine and for a user', () => {
    const path = (kind: 'systemd' | 'launchd', root: boolean) => planService(kind, program({ root }), place).path;
    assert.equal(path('systemd', true), '/etc/systemd/system/holdfast.service');
    assert.equal(path('systemd', false), '/home/ada/.config/systemd/user/holdfast.service');
    assert.equal(path('launchd', true), '/Library/LaunchDaemons/org.holdfast.agent.plist');
    assert.equal(path('launchd', false), '/home/ada/Library/LaunchAgents/org.holdfast.agent.plist');
  });

  it('asks the user manager of systemd for a user', () => {
    const { install, uninstall } = planService('systemd', program({ root: false }), place);
    for (const command of [...install, ...uninstall]) assert.equal(command[1], '--user');
  });
});
