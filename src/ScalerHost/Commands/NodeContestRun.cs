using System.Net;
using FuncScaler.ContestSimulator.Nodes;
using FuncScaler.ContestSimulator.Platform.Nodes;
using FuncScaler.Runtime;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ScalerHost.Commands;

/// <summary><c>contest --edition 2020</c>: the platform and a scheduler over sockets in real time, beside the same load in virtual time.</summary>
internal static class NodeContestRun
{
    /// <summary>How long a run lasts unless told otherwise, s.</summary>
    public const double LengthSeconds = 120;

    /// <summary>
    /// In so many further worlds the product plays the same load in virtual time unless told otherwise. Creations take 3 to 4 s, drawn in the order in which they are
    /// asked for, so a run that differs by a millisecond draws others: what that alone does to the score has to be known.
    /// </summary>
    public const int Worlds = 20;

    private const int FirstOtherSeed = 1_000_000;

    /// <summary>Plays a load in real time, then the baseline and the product in virtual time.</summary>
    /// <param name="load">The load's name.</param>
    /// <param name="seed">Its seed.</param>
    /// <param name="lengthSeconds">How long it lasts, s.</param>
    /// <param name="weights">The weights.</param>
    /// <param name="policy">The policy of our own scheduler.</param>
    /// <param name="scheduler">Another scheduler's address; null for our own.</param>
    /// <param name="port">With another scheduler: the port of the ResourceManager.</param>
    /// <param name="watch">Whether to serve the dashboard of our own scheduler, on any free port, and say where.</param>
    /// <param name="apiPort">The port of the APIServer, 0 for any; null for none.</param>
    /// <param name="worlds">In how many further worlds the load is played; with fewer than two nothing is said of chance.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public static async Task<NodeComparison> RunAsync(
        string load,
        long seed,
        double lengthSeconds,
        NodeWeights weights,
        string policy,
        Uri? scheduler,
        int port,
        bool watch,
        int? apiPort,
        int worlds,
        CancellationToken cancellationToken)
    {
        var world = new NodeWorldOptions();
        NodeTrace trace;
        try
        {
            trace = NodePresets.Generate(load, seed, lengthSeconds);
        }
        catch (ArgumentException e)
        {
            throw new CommandException(CommandException.BadUsage, e.Message, e);
        }

        using var line = new ProgressLine($"{load}, real time");
        var progress = new Relay<int>(ended => line.Report((double)ended / trace.Requests.Count, $"{ended} of {trace.Requests.Count} calls ended"));
        var live = await LiveAsync(trace, world, seed, weights, policy, scheduler, port, watch, apiPort, progress, cancellationToken).ConfigureAwait(false);
        var baseline = NodeContest.Run(trace, NodeSchedulers.Make(NodeSchedulers.Baseline, weights, world), world, seed, cancellationToken);
        var own = NodeContest.Run(trace, NodeSchedulers.Make(policy, weights, world), world, seed, cancellationToken);
        var others = new double[worlds];
        Parallel.For(0, worlds, new ParallelOptions { CancellationToken = cancellationToken }, i => others[i] = NodeContest
            .Run(trace, NodeSchedulers.Make(policy, weights, world), world, seed + FirstOtherSeed + i, cancellationToken)
            .ScoreAgainst(baseline, weights));
        return new NodeComparison(load, seed, weights, baseline, [live, own with { Scheduler = $"{policy}, virtual time" }, baseline, NodeBound.Of(trace, world)])
        {
            Chance = worlds > 1 ? Chance.Of(others) : null,
        };
    }

    private static async Task<NodeResult> LiveAsync(
        NodeTrace trace, NodeWorldOptions world, long seed, NodeWeights weights, string policy, Uri? scheduler, int port, bool watch, int? apiPort, Relay<int> progress, CancellationToken cancellationToken)
    {
        var platform = new NodePlatformServer(world, seed, IPAddress.Loopback, scheduler is null ? 0 : port, TimeProvider.System, apiPort);
        await using (platform.ConfigureAwait(false))
        {
            await platform.StartAsync(cancellationToken).ConfigureAwait(false);
            if (platform.ApiPort is { } opened)
            {
                await Console.Error.WriteLineAsync($"{trace.Name}: APIServer on 127.0.0.1:{opened}").ConfigureAwait(false);
            }

            if (scheduler is not null)
            {
                return await platform.RunAsync(trace, scheduler, scheduler.Authority, progress, cancellationToken).ConfigureAwait(false);
            }

            var nodes = NodeServing.Open(new Uri($"http://127.0.0.1:{platform.ResourcePort}"), weights, TimeProvider.System);
            var options = new ScalerServerOptions
            {
                GrpcPort = 0,
                HttpPort = watch ? 0 : null,
                Metrics = false,
                Policy = CommonOptions.ParsePolicy(policy),
                NodePrice = nodes.Price,
                Runtime = new ScalerRuntimeOptions
                {
                    Pool = nodes.Backend.Limits.Apply(ServeCommand.MakePoolOptions(waiting: true)) with { PriceNowGbs = key => nodes.Price.PriceGbs(key) },
                },
                DrainTimeout = TimeSpan.FromSeconds(1),
                LogLevel = LogLevel.Error,
            };
            var server = new ScalerServer(nodes.Backend.Backend, options, TimeProvider.System);
            await using (server.ConfigureAwait(false))
            {
                await server.StartAsync(cancellationToken).ConfigureAwait(false);
                server.SetServing(true);
                if (server.Dashboard is { } dashboard)
                {
                    await Console.Error.WriteLineAsync($"{trace.Name}: watch it at {dashboard}").ConfigureAwait(false);
                }

                return await platform.RunAsync(trace, new Uri($"http://127.0.0.1:{server.GrpcPort}"), $"{policy}, real time", progress, cancellationToken)
                    .ConfigureAwait(false);
            }
        }
    }
}
