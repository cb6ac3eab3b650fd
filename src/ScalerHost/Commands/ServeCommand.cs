using System.CommandLine;
using System.CommandLine.Completions;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using FuncScaler.ContestSimulator.Nodes;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Rehearsing;
using FuncScaler.Runtime.Service;
using FuncScaler.Runtime.State;
using FuncScaler.Runtime.Telemetry;
using FuncScaler.ScalerHost.Security;
using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Settings;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ScalerHost.Commands;

/// <summary><c>funcscaler serve</c>: the scaler as a service.</summary>
internal static class ServeCommand
{
    /// <summary>How long serving waits for the backend to say which slots of a former run exist.</summary>
    private static readonly TimeSpan LongestAsking = TimeSpan.FromMilliseconds(300);

    public static Command Create()
    {
        var backend = new Option<string>("--backend")
        {
            Description = "Where instances come from: " + string.Join("; ", BackendCatalog.All.Select(kind => $"{kind.Name}, {kind.Summary}")),
            HelpName = "NAME",
            DefaultValueFactory = _ => BackendCatalog.Default,
            CompletionSources = { _ => BackendCatalog.All.Select(kind => new CompletionItem(kind.Name, documentation: kind.Summary)) },
        };
        var files = BackendCatalog.All.Where(kind => kind.FileName is not null).ToDictionary(
            kind => kind.Name,
            kind => CommonOptions.Path($"--{kind.FileName}", $"For --backend {kind.Name}: a file with its settings", "FILE"));
        var platform = CommonOptions.Default(
            CommonOptions.Address("--platform", "For --backend simulator: the contest platform's address"), new Uri("http://127.0.0.1:50051"));
        var wait = CommonOptions.Seconds("--platform-timeout", "How long to wait at the start for the platform to answer, s [default: 10]", most: CommonOptions.LongestRealSeconds);
        var listen = CommonOptions.Listen("The IP address to listen on; beyond loopback, --security or --insecure is needed");
        var security = CommonOptions.Path("--security", "Who may call, what and how often, and the certificate for TLS: a JSON file, read anew when it changes", "FILE");
        var limits = CommonOptions.Path(
            "--limits", "Floors, ceilings, schedules, concurrency and prices of single functions: a JSON file, read anew when it changes", "FILE");
        var insecure = new Option<bool>("--insecure") { Description = "Listen beyond loopback although anybody there may call, or tokens are sent in clear" };
        var grpcPort = CommonOptions.Port("--grpc-port", "The port of the gRPC Scaler service; 0 for any free one", 9001);
        var httpPort = CommonOptions.Port("--http-port", "The port of the JSON API and the dashboard; 0 for any free one", 8080);
        var policy = CommonOptions.Policy();
        var price = new ServePrice();
        var maxWaiting = CommonOptions.Whole(
            "--max-waiting", "How many requests wait at a time, half of them of one function; further ones are told to come again", 20_000, 2, 1_000_000, "is no number of requests", "give 2 to 1000000");
        var maxDelay = CommonOptions.Whole(
            "--max-delay", "For how many ms requests may stand in the process's own queue before assigns are refused; 0 for ever", 200, 0, 60_000, "is no number of milliseconds", "give 0, which means for ever, to 60000");
        var maxMemory = CommonOptions.Whole(
            "--max-memory", "Beyond how many MB of managed memory assigns are refused; 0 for three quarters of what the process may have", 0, 0, 1 << 24, "is no number of MB", "give 0 to 16777216");
        var noWait = new Option<bool>("--no-wait") { Description = "Tie each miss to its own new instance instead of taking whatever comes first" };
        var keep = new Option<bool>("--keep") { Description = "Leave instances alive when stopping; processes end all the same" };
        var state = CommonOptions.Path("--state", "Keep slots, assignments and what was learned in this file, over restarts and kills [default: nothing is kept]", "FILE");
        var forget = CommonOptions.Whole(
            "--state-forget-days",
            "With --state: after how many days what was learned of a function is forgotten that nobody calls",
            (int)DurableState.DefaultForgetAfter.TotalDays,
            1,
            36_500,
            "is no number of days",
            "give 1 to 36500");
        var otlp = CommonOptions.Address(
            "--otlp",
            $"The OpenTelemetry collector that metrics and traces go to, by OTLP over HTTP, for example http://127.0.0.1:4318; also as {TelemetryExport.OtlpVariable}",
            "URL");
        var contract = NodeServing.Contract();
        var weights = NodeServing.Weights("With --contract 2020: the weights of calls and of nodes", NodeWeights.Even);
        var verbose = new Option<bool>("--verbose") { Description = "Log what happens, not only what goes wrong" };
        var command = new Command("serve", "Run the scaler: gRPC Assign and Idle, the same as JSON under /api, the dashboard at /, GET /metrics for Prometheus")
        {
            backend, platform, wait, listen, security, limits, insecure, grpcPort, httpPort, policy, maxWaiting, maxDelay, maxMemory, noWait, keep, state, forget, otlp, verbose, contract, weights,
        };
        foreach (var option in price.All)
        {
            command.Options.Add(option);
        }

        foreach (var file in files.Values)
        {
            command.Options.Add(file);
        }

        command.SetAction(async (parsed, cancellationToken) =>
        {
            var name = parsed.GetValue(backend)!;
            var address = parsed.GetValue(listen)!;
            var platformAddress = parsed.GetValue(platform)!;
            var chosen = CommonOptions.ParsePolicy(parsed.GetValue(policy)!);
            var waitingIsWorth = price.Describe(parsed, chosen);
            var file = files.GetValueOrDefault(name) is { } option
                ? parsed.GetValue(option) ?? throw new CommandException(CommandException.BadUsage, $"--backend {name} needs {option.Name} FILE.")
                : null;
            var watch = parsed.GetValue(security) is { } securityFile ? SecurityWatch.Open(securityFile, TimeProvider.System) : null;
            ListenRule.Check(address, watch, parsed.GetValue(insecure));
            var level = parsed.GetValue(verbose) ? LogLevel.Information : LogLevel.Warning;
            using var loggers = LoggerFactory.Create(logging => logging.AddLineConsole(withStackTraces: false).SetMinimumLevel(level));
            var nodes = parsed.GetValue(contract) == NodeServing.Edition
                ? NodeServing.Open(
                    parsed.GetResult(platform) is { Implicit: false } ? platformAddress : NodeServing.EndpointOfEnvironment(), parsed.GetValue(weights), TimeProvider.System)
                : null;
            if (nodes is not null && parsed.GetValue(state) is not null)
            {
                throw new CommandException(CommandException.BadUsage, "--state goes with --contract 2023: what stands on nodes is not kept. Leave one of them out.");
            }

            // Code is compiled meanwhile: with many functions to read, that is as much work as reading them.
            var poolOptions = MakePoolOptions(waiting: !parsed.GetValue(noWait)) with
            {
                LatencyPriceGbs = price.Read(parsed),
                LatencyPricesGbs = price.ReadOwn(parsed),
                PriceNowGbs = nodes is null ? null : key => nodes.Price.PriceGbs(key),
                MaxWaiting = parsed.GetValue(maxWaiting) / 2,
                MaxWaitingInTotal = parsed.GetValue(maxWaiting),
            };
            var rehearsal = Task.Run(() => Rehearsal.RunAsync(chosen, poolOptions, TimeProvider.System, cancellationToken), cancellationToken);
            using var kept = parsed.GetValue(state) is { } stateFile ? OpenState(stateFile, TimeSpan.FromDays(parsed.GetValue(forget)), loggers.CreateLogger<DurableState>()) : null;
            platformAddress = nodes?.ResourceManager ?? platformAddress;
            var opened = nodes?.Backend ?? BackendFile.Open(name, file, platformAddress, kept?.Run);
            var options = new ScalerServerOptions
            {
                Address = address,
                GrpcPort = nodes is not null && parsed.GetResult(grpcPort) is null or { Implicit: true } ? NodeServing.SchedulerPort : parsed.GetValue(grpcPort),
                NodePrice = nodes?.Price,
                HttpPort = parsed.GetValue(httpPort),
                Policy = chosen,
                Runtime = new ScalerRuntimeOptions
                {
                    State = kept,

                    // Tickets go on where the former process ended, so that no id comes twice.
                    Pool = opened.Limits.Apply(kept is null ? poolOptions : poolOptions with { InstancePrefix = $"i-{kept.Run}-" }),
                    ReconcileInterval = opened.Limits.ReconcileInterval,
                },
                Security = watch,
                Limits = parsed.GetValue(limits) is { } limitsFile ? LimitsFile.Open(limitsFile, TimeProvider.System) : null,
                Admission = AdmissionOf(parsed.GetValue(maxDelay), parsed.GetValue(maxMemory)),
                KeepInstances = parsed.GetValue(keep),
                Otlp = parsed.GetValue(otlp),
                LogLevel = level,
            };
            var patience = TimeSpan.FromSeconds(parsed.GetValue(wait) ?? 10);
            await ServeAsync(
                opened,
                rehearsal,
                (server, token) => opened.Limits.SweepsFirst ? SweepAsync(server, patience, token)
                    : kept is { SlotsKnown: > 0 } ? AskAfterFormerSlotsAsync(server, patience, token)
                    : file is null ? ReachAsync(platformAddress, patience, token)
                    : Task.CompletedTask,
                options,
                waitingIsWorth,
                cancellationToken).ConfigureAwait(false);
            return 0;

        });
        return command;
    }

    /// <summary>Pool settings with instance ids that no other run of the scaler uses.</summary>
    public static SlotPoolOptions MakePoolOptions(bool waiting) => new()
    {
        Waiting = waiting,
        InstancePrefix = ScalerRuntimeOptions.NewInstancePrefix(),
    };

    private static DurableState OpenState(string path, TimeSpan forgetAfter, ILogger logger)
    {
        try
        {
            return StateFile.Open(path, TimeProvider.System, logger, forgetAfter);
        }
        catch (StateStoreException e)
        {
            throw new CommandException(CommandException.Failed, $"--state {path} cannot be used: {e.Message.TrimEnd('.')}.", e);
        }
    }

    private static AdmissionOptions AdmissionOf(int maxDelayMs, int maxMemoryMb)
    {
        var options = new AdmissionOptions { MaxDelay = maxDelayMs == 0 ? Timeout.InfiniteTimeSpan : TimeSpan.FromMilliseconds(maxDelayMs) };
        return maxMemoryMb == 0 ? options : options with { MaxMemoryBytes = (long)maxMemoryMb << 20 };
    }

    private static string DescribeCallers(ScalerServerOptions options) => options.Security is { } security
        ? security.HasTls ? "TLS, for known callers" : "for known callers"
        : IPAddress.IsLoopback(options.Address) ? "for this machine" : "for anybody";

    private static async Task ServeAsync(
        OpenBackend opened,
        Task<string?> rehearsal,
        Func<ScalerServer, CancellationToken, Task> prepareAsync,
        ScalerServerOptions options,
        string waitingIsWorth,
        CancellationToken cancellationToken)
    {
        var server = new ScalerServer(opened.Backend, options, TimeProvider.System);
        await using (server.ConfigureAwait(false))
        {
            await server.StartAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                await prepareAsync(server, cancellationToken).ConfigureAwait(false);
                await rehearsal.ConfigureAwait(false);
                server.FollowLimits();
                server.SetServing(true);
                Console.WriteLine($"funcscaler: policy {options.Policy.Name}, gRPC on {options.Address}:{server.GrpcPort}, HTTP on {options.Address}:{server.HttpPort}, {DescribeCallers(options)}, {opened.Description}");
                Console.WriteLine($"funcscaler: {waitingIsWorth}");
                Console.WriteLine($"funcscaler: dashboard at {server.Dashboard}");
                await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // Asked to stop: that is how serving ends.
            }

            // The first signal has begun the stop; a second one says that there is no time for it.
            using var hurry = new CancellationTokenSource();
            using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Hurry);
            using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Hurry);
            Console.WriteLine(options.KeepInstances ? "funcscaler: stopping, instances stay" : "funcscaler: stopping, giving instances back; another signal ends the waiting");
            await server.StopAsync(hurry.Token).ConfigureAwait(false);

            void Hurry(PosixSignalContext signal)
            {
                signal.Cancel = true;
                hurry.Cancel();
            }
        }
    }

    /// <summary>Takes in what a former run has left, so that nothing is created that exists already, and so that a wrong setting shows now.</summary>
    private static async Task SweepAsync(ScalerServer server, TimeSpan wait, CancellationToken cancellationToken)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                await server.Runtime.ReconcileAsync(cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (SlotBackendException e) when (e.Failure.Kind == FailureKind.Permanent || TimeProvider.System.GetElapsedTime(start) >= wait)
            {
                throw new CommandException(CommandException.Failed, $"The backend cannot be asked what exists already: {e.Message}", e);
            }
            catch (SlotBackendException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(500), cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>
    /// Asks which of the slots that were kept exist still, and serves meanwhile where there are many: what is found to be gone is replaced.
    /// </summary>
    private static async Task AskAfterFormerSlotsAsync(ScalerServer server, TimeSpan wait, CancellationToken cancellationToken)
    {
        var asking = SweepAsync(server, wait, cancellationToken);
        await Task.WhenAny(asking, Task.Delay(LongestAsking, cancellationToken)).ConfigureAwait(false);
        if (asking.IsCompleted)
        {
            await asking.ConfigureAwait(false);
        }
    }

    private static async Task ReachAsync(Uri platform, TimeSpan wait, CancellationToken cancellationToken)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(platform.Host, platform.Port, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (SocketException e)
            {
                if (TimeProvider.System.GetElapsedTime(start) >= wait)
                {
                    throw new CommandException(
                        CommandException.Failed,
                        $"The platform at {platform.Authority} cannot be reached ({e.Message}): start it, or name it with --platform.",
                        e);
                }

                await Task.Delay(TimeSpan.FromMilliseconds(200), cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
