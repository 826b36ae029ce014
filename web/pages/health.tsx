import { mount, Page } from '../shell.tsx';

mount(
  <Page here="/health">
    <h1>Health</h1>
  </Page>,
);
