# Filmroom as an image: compiled and its native module built in the first stage, only what runs in the second.
FROM node:20-bookworm AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev && rm -rf dist/test dist/bench

FROM node:20-bookworm-slim
ENV NODE_ENV=production
# Letters for annotations burnt into rendered images, Chinese, Japanese and Korean ones included.
RUN apt-get update && apt-get install -y --no-install-recommends fontconfig-config fonts-dejavu-core fonts-droid-fallback \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
RUN ln -s /app/dist/tools/filmroom.cjs /usr/local/bin/filmroom && chmod +x dist/tools/filmroom.cjs \
    && mkdir -p /var/lib/filmroom && chown node:node /var/lib/filmroom
USER node
WORKDIR /var/lib/filmroom
VOLUME /var/lib/filmroom
EXPOSE 8080
# Answers in flight have 20 s; give it longer than that before it is killed (stop_grace_period).
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["filmroom", "serve", "--config", "/etc/filmroom/filmroom.yaml"]
