# The self-host. Two images of one build:
#   docker build -t funcscaler .                           a service: no shell, not root; who may call stands in /settings/security.json
#   docker build -t funcscaler-contest --target contest .  as the contest starts scalers, by ./run.sh
FROM mcr.microsoft.com/dotnet/sdk:10.0-noble AS build
# The processor that the image is for, as BuildKit says it: code is compiled for it beforehand.
ARG TARGETARCH
WORKDIR /source
# First what restoring depends on, so that a change of code alone restores nothing.
COPY global.json Directory.*.props Directory.*.targets ./
COPY src/Shared/Shared.csproj src/Shared/
COPY src/SlotBackends/SlotBackends.csproj src/SlotBackends/
COPY src/ScalerRuntime/ScalerRuntime.csproj src/ScalerRuntime/
COPY src/ContestSimulator/ContestSimulator.csproj src/ContestSimulator/
COPY src/ScalerHost/ScalerHost.csproj src/ScalerHost/
RUN dotnet restore src/ScalerHost -a $TARGETARCH
COPY .editorconfig ./
COPY src src
RUN dotnet publish src/ScalerHost -c Release -a $TARGETARCH --self-contained false --no-restore -o /app

FROM mcr.microsoft.com/dotnet/aspnet:10.0-noble AS contest
WORKDIR /app
COPY --from=build /app ./
COPY --chmod=755 eng/contest-run.sh run.sh
USER $APP_UID
EXPOSE 9001
CMD ["./run.sh"]

# Last, and so the one that is built where none is named.
FROM mcr.microsoft.com/dotnet/aspnet:10.0-noble-chiseled AS serve
WORKDIR /app
COPY --from=build /app ./
USER $APP_UID
EXPOSE 9001 8080
# There is no shell and no curl: the program asks itself.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["./funcscaler", "health"]
ENTRYPOINT ["./funcscaler"]
# It refuses to start without this file, which is to be mounted; docs/explanation/security.md says what stands in it.
CMD ["serve", "--listen", "0.0.0.0", "--security", "/settings/security.json"]
