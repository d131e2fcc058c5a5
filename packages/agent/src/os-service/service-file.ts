/**
 * The files that make an operating system start the agent and keep it running. Pure: who, what and where are passed in.
 *
 * All three start one line, `node holdfast.mjs run`, restart it when it ends, and leave it alone otherwise: no time limit, no
 * limit on battery, no stop when the user goes away.
 */
export type Kind = 'systemd' | 'launchd' | 'windows';

export type Program = {
  /** Absolute paths of Node and of the agent's program. */
  readonly node: string;
  readonly script: string;
  /** The state folder. */
  readonly home: string;
  /** For the machine (root, SYSTEM) or for one user. */
  readonly root: boolean;
};

export const LABEL = 'org.holdfast.agent';
export const TASK_NAME = 'Holdfast';
export const UNIT_NAME = 'holdfast.service';
const DESCRIPTION = 'Holdfast backup service';

export function serviceFile(kind: Kind, program: Program): string {
  switch (kind) {
    case 'systemd':
      return systemdUnit(program);
    case 'launchd':
      return launchdPlist(program);
    case 'windows':
      return windowsTask(program);
    default:
      return kind satisfies never;
  }
}

/**
 * KillMode=mixed: only the agent gets SIGTERM, and what is left of it is killed after the time-out. StartLimitIntervalSec=0: it is
 * started again for ever. OOMPolicy=continue: losing one thread's memory must not stop the unit.
 */
function systemdUnit({ node, script, home, root }: Program): string {
  return `[Unit]
Description=${DESCRIPTION}
${root ? 'Wants=network-online.target\nAfter=network-online.target\n' : ''}StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${[node, script, 'run'].map(systemdWord).join(' ')}
Environment=${systemdWord(`HOLDFAST_HOME=${home}`)}
Restart=always
RestartSec=10
KillMode=mixed
TimeoutStopSec=60
OOMPolicy=continue
UMask=0077
Nice=10
IOSchedulingClass=best-effort
IOSchedulingPriority=7

[Install]
WantedBy=${root ? 'multi-user.target' : 'default.target'}
`;
}

/** systemd.syntax(7): C escapes in double quotes; `%` and `$` mean something even there. */
function systemdWord(word: string): string {
  if (/[\p{Cc}]/u.test(word)) throw new TypeError(`a service file cannot hold ${JSON.stringify(word)}`);
  const literal = word.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w/.:=@%$+,-]+$/.test(literal) ? literal : `"${literal.replace(/["\\]/g, '\\$&')}"`;
}

function launchdPlist({ node, script, home }: Program): string {
  const words = [node, script, 'run'].map((word) => `    <string>${xml(word)}</string>`).join('\n');
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${LABEL}</string>
  <key>ProgramArguments</key>
  <array>
${words}
  </array>
  <key>EnvironmentVariables</key>
  <dict>
    <key>HOLDFAST_HOME</key>
    <string>${xml(home)}</string>
  </dict>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <true/>
  <key>ThrottleInterval</key>
  <integer>10</integer>
  <key>ExitTimeOut</key>
  <integer>60</integer>
  <key>ProcessType</key>
  <string>Background</string>
  <key>Nice</key>
  <integer>10</integer>
  <key>LowPriorityIO</key>
  <true/>
  <key>Umask</key>
  <integer>63</integer>
</dict>
</plist>
`;
}

/** Without ExecutionTimeLimit PT0S Windows would end the task after three days; the battery limits are on by default. */
function windowsTask({ node, script, home, root }: Program): string {
  const trigger = root ? 'BootTrigger' : 'LogonTrigger';
  const principal = root
    ? '<UserId>S-1-5-18</UserId>\n      <RunLevel>HighestAvailable</RunLevel>'
    : '<LogonType>InteractiveToken</LogonType>\n      <RunLevel>LeastPrivilege</RunLevel>';
  const line = `"$env:HOLDFAST_HOME = ${powershellWord(home)}; & ${powershellWord(node)} ${powershellWord(script)} run"`;
  return `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>${DESCRIPTION}</Description>
  </RegistrationInfo>
  <Triggers>
    <${trigger}>
      <Enabled>true</Enabled>
    </${trigger}>
  </Triggers>
  <Principals>
    <Principal id="Author">
      ${principal}
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>7</Priority>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>999</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>powershell.exe</Command>
      <Arguments>-NoProfile -NonInteractive -WindowStyle Hidden -Command ${xml(line)}</Arguments>
    </Exec>
  </Actions>
</Task>
`;
}

/** A task has no environment of its own, so the line sets it; in single quotes only the quote itself is special. */
const powershellWord = (word: string): string => `'${word.replaceAll("'", "''")}'`;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const xml = (text: string): string => text.replace(/[&<>"]/g, (character) => ENTITIES[character]!);
