# reqld in a container, with the conventions of the official RethinkDB image: the data volume and working directory is
# /data, the command can be replaced as a whole, and may also call the server `rethinkdb`, as compose files do.
#
#   docker build -t reqld .
#   docker run -d --name reqld -p 28015:28015 -p 8080:8080 -v reqld-data:/data reqld
#
# The server runs as user 1000.  A host directory as /data must be writable to it, or name another: --user "$(id -u)".

FROM debian:bookworm-slim AS build
WORKDIR /src
# The packages first: they change less often than the sources.
COPY dev packages.txt ./
RUN apt-get update && ./dev deps build && rm -rf /var/lib/apt/lists/*
COPY . .
RUN ./dev build release && strip --strip-debug build/release/reqld build/release/reqld-js && ./dev runtime-packages build/release/reqld build/release/reqld-js > /runtime-packages

FROM debian:bookworm-slim
# Only what the binary links to, and the certificates that r.http checks https addresses with.
COPY --from=build /runtime-packages /tmp/runtime-packages
RUN apt-get update \
 && xargs apt-get install -y --no-install-recommends ca-certificates < /tmp/runtime-packages \
 && rm -rf /var/lib/apt/lists/* /tmp/runtime-packages \
 && groupadd --gid 1000 reqld \
 && useradd --uid 1000 --gid 1000 --home-dir /data --no-create-home --shell /usr/sbin/nologin reqld \
 && install -d -o reqld -g reqld /data
COPY --from=build /src/build/release/reqld /src/build/release/reqld-js /usr/local/bin/
RUN ln -s reqld /usr/local/bin/rethinkdb
COPY LICENSE /usr/share/doc/reqld/LICENSE
USER 1000:1000
VOLUME /data
WORKDIR /data
# 28015: drivers.  8080: administration and metrics over HTTP.  29015, RethinkDB's port between the servers of a
# cluster, is not used.
EXPOSE 28015 8080
# A driver's first four bytes must get the greeting that a driver waits for; where the driver port speaks TLS, the HTTP
# port is asked.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["bash", "-c", "\
{ exec 3<>/dev/tcp/127.0.0.1/28015 && printf '\\xc3\\xbd\\xc2\\x34' >&3 && \
IFS= read -r -d '' -t 2 greeting <&3 && [[ $greeting == *'\"success\":true'* ]]; } || \
{ exec 4<>/dev/tcp/127.0.0.1/8080 && printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&4 && \
read -r -t 2 _ status _ <&4 && [[ $status == 200 ]]; }"]
CMD ["reqld", "--bind", "all"]
