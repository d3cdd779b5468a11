# One static binary, alone on an empty file system, as a user without rights.
#
#   docker build -t gateway .
#   docker run -p 8080:8080 -v ./gateway.yaml:/etc/gateway/gateway.yaml:ro gateway
#
# Nothing here needs BuildKit: docker, podman and buildah build the same image.
# For another platform the compiler cross-compiles; no emulation is involved.

ARG GO_IMAGE=golang:1.26-bookworm

FROM --platform=${BUILDPLATFORM} ${GO_IMAGE} AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=devel
ARG COMMIT=unknown
WORKDIR /src
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-buildvcs=false
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN GOOS="${TARGETOS}" GOARCH="${TARGETARCH}" go build -trimpath \
    -ldflags "-s -w -X main.version=${VERSION} -X main.commit=${COMMIT}" \
    -o /out/gateway ./cmd/gateway
# What a program expects of its system: authorities to verify the upstream by,
# a name for its user, and a directory for its configuration.
RUN mkdir -p /out/etc/ssl/certs /out/etc/gateway \
    && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
    && echo 'gateway:x:65532:65532:gateway:/:/sbin/nologin' > /out/etc/passwd \
    && echo 'gateway:x:65532:' > /out/etc/group

FROM scratch
ARG VERSION=devel
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="gateway" \
      org.opencontainers.image.description="Edge gateway that enforces the documented rules of the ChatShipper HTTP API" \
      org.opencontainers.image.source="https://github.com/chatshipper/gateway" \
      org.opencontainers.image.documentation="https://github.com/chatshipper/gateway/blob/main/README.md" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.base.name="scratch"
COPY --from=build /out/etc /etc
COPY --from=build /out/gateway /gateway
USER 65532:65532
# 8080 is the public listener; 9900 the admin listener, which is on loopback
# unless admin.address and admin.token_file say otherwise.
EXPOSE 8080 9900
HEALTHCHECK --interval=10s --timeout=2s --start-period=3s \
    CMD ["/gateway", "healthcheck", "--config", "/etc/gateway/gateway.yaml"]
ENTRYPOINT ["/gateway"]
CMD ["run", "--config", "/etc/gateway/gateway.yaml"]
