// /setup: what to paste where, with this service's own address in it.
import type { ComponentChildren } from 'preact';
import { Code } from '../components/code.tsx';
import { Segments } from '../components/controls.tsx';
import { mount, Page } from '../components/shell.tsx';
import { useArrivals, Waiting } from '../components/waiting.tsx';
import { useQuery } from '../load.ts';

const here = new URL('.', location.href).href.slice(0, -1);
const webhook = `${here}/v1/registry-events`;

/** For what can't send a header: the token is the password. */
const signedWebhook = webhook.replace('://', '://whalewatch:TOKEN@');

interface Dialect {
  name: string;
  where: ComponentChildren;
  label: string;
  text: string;
  /** Whether it reports pulls. */
  pulls: boolean;
}

const dialects = {
  distribution: {
    name: 'Distribution',
    where: (
      <>
        In the registry's <code>config.yml</code>, then restart it. Version 2.7 to 3 of the CNCF registry and everything
        built on it.
      </>
    ),
    label: "Lines for the registry's configuration",
    text: `notifications:
  events:
    includereferences: true
  endpoints:
    - name: whalewatch
      url: ${webhook}
      headers:
        Authorization: [Bearer TOKEN]
      timeout: 5s
      threshold: 5
      backoff: 10s
      ignore:
        mediatypes: [application/octet-stream]
        actions: [mount]`,
    pulls: true,
  },
  harbor: {
    name: 'Harbor',
    where:
      'In each project under Webhooks: New webhook, HTTP, with the events "Artifact pulled", "Artifact pushed" and "Artifact deleted". CloudEvents has more fields than Default; neither names clients, so pulls are an upper bound.',
    label: 'Fields of a Harbor webhook',
    text: `Endpoint URL    ${webhook}
Auth header     Bearer TOKEN
Payload format  CloudEvents`,
    pulls: true,
  },
  gitlab: {
    name: 'GitLab',
    where: (
      <>
        In <code>/etc/gitlab/gitlab.rb</code> of a self-managed GitLab, then <code>gitlab-ctl reconfigure</code>.
      </>
    ),
    label: "Lines for GitLab's configuration",
    text: `registry['notifications'] = [
  {
    'name' => 'whalewatch',
    'url' => '${webhook}',
    'headers' => { 'Authorization' => ['Bearer TOKEN'] },
    'timeout' => '5s',
    'threshold' => 5,
    'backoff' => '10s'
  }
]`,
    pulls: true,
  },
  zot: {
    name: 'Zot',
    where: (
      <>
        In zot's <code>config.json</code>, under <code>extensions</code>.
      </>
    ),
    label: "Lines for zot's configuration",
    text: `"events": {
  "enable": true,
  "sinks": [{
    "type": "http",
    "address": "${webhook}",
    "timeout": "5s",
    "headers": { "Authorization": "Bearer TOKEN" }
  }]
}`,
    pulls: false,
  },
  quay: {
    name: 'Quay',
    where: 'In each repository under Settings, Events and Notifications: "Push to Repository", with a Webhook POST.',
    label: 'Field of a Quay notification',
    text: `Webhook URL  ${signedWebhook}`,
    pulls: false,
  },
  dockerhub: {
    name: 'Docker Hub',
    where: 'In each repository under Webhooks.',
    label: 'Fields of a Docker Hub webhook',
    text: `Webhook name  whalewatch
Webhook URL   ${signedWebhook}`,
    pulls: false,
  },
  artifactory: {
    name: 'Artifactory',
    where: 'Under Administration, General, Webhooks: the events "Tag was pushed" and "Tag was deleted" of Docker.',
    label: 'Fields of an Artifactory webhook',
    text: `URL            ${webhook}
Custom header  Authorization: Bearer TOKEN`,
    pulls: false,
  },
  acr: {
    name: 'Azure',
    where: 'One command for a registry.',
    label: 'A command that makes an Azure webhook',
    text: `az acr webhook create --registry REGISTRY --name whalewatch \\
  --actions push delete chart_push chart_delete \\
  --uri ${webhook} --headers "Authorization=Bearer TOKEN"`,
    pulls: false,
  },
  ecr: {
    name: 'Amazon ECR',
    where: (
      <>
        On AWS in the same account: one setting, then <code>npm run deploy</code>. A rule of EventBridge feeds the
        stream directly.
      </>
    ),
    label: 'A setting for Amazon ECR',
    text: 'ecr: true',
    pulls: true,
  },
  gitea: {
    name: 'Gitea, GitHub',
    where:
      'In the organisation under Settings, Webhooks: the event "Package". GitHub calls it "Packages" or "Registry packages".',
    label: 'Fields of a Gitea or GitHub webhook',
    text: `URL            ${signedWebhook}
Content type   application/json`,
    pulls: false,
  },
} satisfies Record<string, Dialect>;

const tag = `<script defer src="${here}/hit.js"></script>`;

interface Framework {
  name: string;
  where: ComponentChildren;
  text: string;
}

const frameworks = {
  html: { name: 'HTML', where: 'In the head of every page.', text: tag },
  next: {
    name: 'Next.js',
    where: (
      <>
        In <code>app/layout.tsx</code>. Navigations within the page are hits, too.
      </>
    ),
    text: `import Script from 'next/script';

<Script src="${here}/hit.js" strategy="afterInteractive" />`,
  },
  react: {
    name: 'React, Vue, Svelte',
    where: (
      <>
        In <code>index.html</code>. Routers that use the History or Navigation API need nothing more; for routes behind
        a # add <code>data-hash</code>.
      </>
    ),
    text: tag,
  },
  astro: {
    name: 'Astro',
    where: 'In the head of the layout. View transitions are hits, too.',
    text: `<script is:inline defer src="${here}/hit.js"></script>`,
  },
  turbo: {
    name: 'Rails, Turbo',
    where: (
      <>
        In <code>app/views/layouts/application.html.erb</code>.
      </>
    ),
    text: `<%= javascript_include_tag "${here}/hit.js", defer: true %>`,
  },
  wordpress: {
    name: 'WordPress',
    where: (
      <>
        In the theme's <code>functions.php</code>.
      </>
    ),
    text: `add_action('wp_enqueue_scripts', function () {
  wp_enqueue_script('whalewatch', '${here}/hit.js', [], null, ['strategy' => 'defer']);
});`,
  },
  server: {
    name: 'Back end',
    where: 'Hits may also come from your own server, one by one or as an array.',
    text: `curl ${here}/v1/hits -H 'X-Forwarded-For: VISITOR' \\
  -H 'Content-Type: application/json' -d '{"domain": "shop.example", "action": "checkout"}'`,
  },
} satisfies Record<string, Framework>;

/** Names of a choice, as Choice takes them. */
const named = <K extends string>(of: Record<K, { name: string }>) =>
  Object.entries<{ name: string }>(of).map(([key, { name }]) => [key as K, name] as const);

function Setup() {
  const [query, change] = useQuery();
  const known = <K extends string>(of: Record<K, unknown>, name: string | null, other: K) =>
    name !== null && Object.hasOwn(of, name) ? (name as K) : other;
  const registry = known(dialects, query.get('registry'), 'distribution');
  const page = known(frameworks, query.get('page'), 'html');
  const { where, label, text, pulls }: Dialect = dialects[registry];
  const arrivals = useArrivals();
  return (
    <div class="card">
      <section class="step" aria-labelledby="registry">
        <b aria-hidden="true">1</b>
        <div>
          <div class="card-head">
            <h2 id="registry">Send the registry's notifications here</h2>
          </div>
          <Segments
            label="Registry"
            value={registry}
            options={named(dialects)}
            onChange={(next) => change({ registry: next })}
          />
          <p>
            {where}
            {!pulls && ' It reports pushes only, no pulls.'}
          </p>
          <Code label={label} text={text} />
          <Waiting of={arrivals} kind="registry" what="registry event" />
          <p>
            Put the webhook's token in place of <code>TOKEN</code>. It is a secret and not shown here:{' '}
            <code>npm start</code> prints it and keeps it in the data folder; on AWS it is in Secrets Manager, under the
            name that <code>npm run deploy</code> prints. A registry that the setting <code>registries</code> names has
            its own: <code>npm run token -- add --registry NAME</code>. If a registry's log says 401, it sends a wrong
            token.
          </p>
        </div>
      </section>
      <section class="step" aria-labelledby="beacon">
        <b aria-hidden="true">2</b>
        <div>
          <h2 id="beacon">Put the beacon on a page</h2>
          <p>
            Under 1 KiB, no cookie, nothing kept of a visitor but the location of their network. Do Not Track and GPC
            are respected.
          </p>
          <Segments label="Page" value={page} options={named(frameworks)} onChange={(next) => change({ page: next })} />
          <p>{frameworks[page].where}</p>
          <Code label={`The beacon for ${frameworks[page].name}`} text={frameworks[page].text} />
          <Waiting of={arrivals} kind="hits" what="hit" />
          <p>
            <code>data-domain="shop.example"</code> counts hits for this name instead of the page's host: use it if
            several tenants share a host, which is only one point on the map otherwise (or set{' '}
            <code>points: 'location'</code>). <code>data-action="checkout"</code> names what was done. To leave out your
            own hits, open the page once with <code>?whalewatch=off</code>.
          </p>
          <p>
            A hit from an office or a VPN is counted, but is not on the map: the response then says{' '}
            <code>"location": "private address: no location"</code>. Say where your networks are in the setting{' '}
            <code>{"networks: { '10.0.0.0/8': { lat: 52.5, lon: 13.4, name: 'Berlin' } }"}</code>.
          </p>
        </div>
      </section>
      <section class="step" aria-labelledby="try">
        <b aria-hidden="true">3</b>
        <div>
          <h2 id="try">See it arrive</h2>
          <p>
            Send one hit by hand. It shows on <a href="./">the map</a> within seconds; pulls show under{' '}
            <a href="./people">People</a>. If nothing comes, <a href="./health">Health</a> says what was refused and
            why.
          </p>
          <Code label="A command that sends one hit" text={`curl -d '{"domain": "shop.example"}' ${here}/v1/hits`} />
        </div>
      </section>
      <section class="step" aria-labelledby="embed">
        <b aria-hidden="true">4</b>
        <div>
          <h2 id="embed">Show the map elsewhere</h2>
          <p>Where the map is public, it can be embedded in any page; the part after # says where it opens.</p>
          <Code
            label="A frame with the map"
            text={`<iframe src="${here}/embed#2/30/10" title="Live map" width="100%" height="420"></iframe>`}
          />
          <p>
            Where scripts may not run, <code>{here}/v1/embed/map</code> shows it as pictures. A badge for a README:
          </p>
          <Code label="A badge in Markdown" text={`![Active domains](${here}/v1/embed/badge.svg)`} />
        </div>
      </section>
      <section class="step" aria-labelledby="past">
        <b aria-hidden="true">5</b>
        <div>
          <h2 id="past">Import the past</h2>
          <p>Pulls or hits from a file, one a line, as CSV or JSON. Importing a file again changes nothing.</p>
          <Code
            label="A command that imports a file"
            text={`npm run import -- pulls.csv   # time,user,repository,tag,digest`}
          />
        </div>
      </section>
    </div>
  );
}

mount(
  <Page
    here="./setup"
    needs="team"
    title={<h1>Set up</h1>}
    lead="Point a registry at the webhook and put the beacon on a page. Either can be done alone."
  >
    <Setup />
  </Page>,
);
