// What lists of pulls say before the first one.
import { Note } from '../components/card.tsx';

export const NoPulls = () => (
  <Note title="No pulls yet.">
    <code>docker pull REGISTRY/you/app</code> will show here within seconds, once the registry's notifications point
    here. <a href="./setup">How to</a>
  </Note>
);
