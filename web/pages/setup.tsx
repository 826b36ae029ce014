// /setup: what to paste where, with this service's own address in it.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { Code } from '../code.tsx';
import { Segments } from '../controls.tsx';
import { mount, Page } from '../shell.tsx';

const here = new URL('.', location.href).href.slice(0, -1);
const webhook = `${here}/v1/registry-events`;

const registries = [
  ['distribution', 'Distribution'],
  ['harbor', 'Harbor'],
  ['gitlab', 'GitLab'],
] as const;
type Registry = (typeof registries)[number][0];

const settings: Record<Registry, { where: ComponentChildren; label: string; text: string }> = {
  distribution: {
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
  },
  harbor: {
    where: 'In each project under Webhooks: New webhook, HTTP, events "Artifact pulled" and "Artifact pushed".',
    label: 'Fields of a Harbor webhook',
    text: `Endpoint URL   ${webhook}
Auth header    Bearer TOKEN
Payload format Default or CloudEvents`,
  },
  gitlab: {
    where: (
      <>
        In <code>/etc/gitlab/gitlab.rb</code>, then <code>gitlab-ctl reconfigure</code>.
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
  },
};

function Setup() {
  const [registry, setRegistry] = useState<Registry>('distribution');
  const { where, label, text } = settings[registry];
  return (
    <Page
      here="./setup"
      title={<h1>Set up</h1>}
      lead="Point a registry at the webhook and put the beacon on a page. Both can be done alone."
    >
      <div class="card">
        <section class="step" aria-labelledby="registry">
          <b aria-hidden="true">1</b>
          <div>
            <div class="card-head">
              <h2 id="registry">Send the registry's notifications here</h2>
              <Segments label="Registry" value={registry} options={registries} onChange={setRegistry} />
            </div>
            <p>{where}</p>
            <Code label={label} text={text} />
            <p>
              Put the webhook's token in place of <code>TOKEN</code>. It is a secret and not shown here:{' '}
              <code>npm start</code> prints it and keeps it in the data folder; on AWS it is in Secrets Manager, under
              the name that <code>cdk deploy</code> prints.
            </p>
          </div>
        </section>
        <section class="step" aria-labelledby="beacon">
          <b aria-hidden="true">2</b>
          <div>
            <h2 id="beacon">Put the beacon on a page</h2>
            <p>
              Under 1 KiB, no cookie, nothing kept of a visitor but the location of their network. Do Not Track and GPC
              are kept.
            </p>
            <Code label="The beacon's script tag" text={`<script defer src="${here}/hit.js"></script>`} />
            <p>
              <code>data-domain="shop.example"</code> counts as another name than the page's host,{' '}
              <code>data-action="checkout"</code> names what was done. Leave your own visits out by opening the page
              once with <code>?whalewatch=off</code>.
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
            <p>The map is public and can stand in any page; what follows the # is where it opens.</p>
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
            <h2 id="past">Bring what was before</h2>
            <p>Pulls or hits from a file, one a line, as CSV or JSON. The same line twice counts once.</p>
            <Code
              label="A command that imports a file"
              text={`npm run import -- pulls.csv   # time,user,repository,tag,digest`}
            />
          </div>
        </section>
      </div>
    </Page>
  );
}

mount(<Setup />);
