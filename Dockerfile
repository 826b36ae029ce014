# The server of the packed package: amd64 and arm64, no compiler and no native module, so any platform builds it.
#
#   npm pack && podman build --format docker -t whalewatch .     (the format OCI has no HEALTHCHECK)
#   docker buildx build --platform linux/amd64,linux/arm64 -t whalewatch .
ARG NODE=docker.io/library/node:24-slim
FROM ${NODE} AS build
COPY whalewatch-*.tgz /tmp/
RUN mkdir -p /app /data && cd /app && npm install --omit=dev --no-audit --no-fund /tmp/whalewatch-*.tgz

FROM ${NODE}
LABEL org.opencontainers.image.title="whalewatch" org.opencontainers.image.licenses="MIT"
COPY --from=build /app /app
# A number, so that Kubernetes can tell that it isn't root.
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
ENV PATH=/app/node_modules/.bin:$PATH NODE_ENV=production WHALEWATCH_DATA=/data WHALEWATCH_LISTEN=0.0.0.0 WHALEWATCH_LOG=json
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.WHALEWATCH_PORT ?? 8080) + '/v1/health/live').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "/app/node_modules/whalewatch/dist/infra/command.js"]
CMD ["start"]
