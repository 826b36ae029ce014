// Loaded into CDK's custom resources on the emulator: its response URL is plain HTTP, and they know HTTPS only.
const http = require('node:http');
const https = require('node:https');

https.request = (options, listener) =>
  http.request({ ...options, protocol: 'http:', port: process.env.ANSWER_PORT }, listener);
