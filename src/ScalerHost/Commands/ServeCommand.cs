using System.CommandLine;
using System.Net.Sockets;
using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Runtime;
using FuncScaler.SlotBackends.Simulator;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ScalerHost.Commands;

/// <summary><c>funcscaler serve</c>: the scaler as a service.</summary>
internal static class ServeCommand
{
    private static readonly string[] Backends = ["simulator"];

    public static Command Create()
    {
        var backend = new Option<string>("--backend")
        {
            Description = "Where instances come from: " + string.Join(", ", Backends),
            HelpName = "NAME",
            DefaultValueFactory = _ => Backends[0],
        };
        var platform = new Option<string>("--platform")
        {
            Description = "The contest platform's address",
            HelpName = "ADDR",
            DefaultValueFactory = _ => "127.0.0.1:50051",
        };
        var wait = CommonOptions.Seconds("--platform-timeout", "How long to wait at the start for the platform to accept connections, s [default: 10]");
        var listen = CommonOptions.Listen();
        var grpcPort = CommonOptions.Port("--grpc-port", "The port of the gRPC Scaler service; 0 for any free one", 9001);
        var httpPort = CommonOptions.Port("--http-port", "The port of the JSON API; 0 for any free one", 8080);
        var policy = CommonOptions.Policy();
        var noWait = new Option<bool>("--no-wait") { Description = "Tie each miss to its own new instance instead of taking whatever comes first" };
        var keep = new Option<bool>("--keep") { Description = "Leave instances alive when stopping" };
        var verbose = new Option<bool>("--verbose") { Description = "Log what happens, not only what goes wrong" };
        var command = new Command("serve", "Run the scaler: gRPC Assign and Idle, JSON POST /api/assign and /api/release, GET /api/stats")
        {
            backend, platform, wait, listen, grpcPort, httpPort, policy, noWait, keep, verbose,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var name = parsed.GetValue(backend)!;
            if (!Backends.Contains(name))
            {
                throw new CommandException(CommandException.BadUsage, $"There is no backend '{name}'. Choose one of: {string.Join(", ", Backends)}.");
            }

            var address = CommonOptions.ParseListen(parsed.GetValue(listen)!);

            var platformAddress = CommonOptions.ParseAddress("--platform", parsed.GetValue(platform)!);
            var options = new ScalerServerOptions
            {
                Address = address,
                GrpcPort = parsed.GetValue(grpcPort),
                HttpPort = parsed.GetValue(httpPort),
                Policy = CommonOptions.ParsePolicy(parsed.GetValue(policy)!),
                Runtime = new ScalerRuntimeOptions { Pool = MakePoolOptions(waiting: !parsed.GetValue(noWait)) },
                KeepInstances = parsed.GetValue(keep),
                LogLevel = parsed.GetValue(verbose) ? LogLevel.Information : LogLevel.Warning,
            };
            await ServeAsync(platformAddress, TimeSpan.FromSeconds(parsed.GetValue(wait) ?? 10), options, cancellationToken).ConfigureAwait(false);
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

    private static async Task ServeAsync(Uri platform, TimeSpan wait, ScalerServerOptions options, CancellationToken cancellationToken)
    {
        ISlotBackend backend = new SimulatorBackend(SimulatorChannel.Open(platform.AbsoluteUri), new SimulatorBackendOptions(), TimeProvider.System);
        var server = new ScalerServer(backend, options, TimeProvider.System);
        await using (server.ConfigureAwait(false))
        {
            await server.StartAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                await ReachAsync(platform, wait, cancellationToken).ConfigureAwait(false);
                server.SetServing(true);
                Console.WriteLine($"funcscaler: policy {options.Policy.Name}, gRPC on {options.Address}:{server.GrpcPort}, HTTP on {options.Address}:{server.HttpPort}, platform {platform.Authority}");
                await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // Asked to stop: that is how serving ends.
            }

            Console.WriteLine(options.KeepInstances ? "funcscaler: stopping, instances stay" : "funcscaler: stopping, giving instances back");
            await server.StopAsync(CancellationToken.None).ConfigureAwait(false);
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
