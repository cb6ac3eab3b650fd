using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using FuncScaler.ContestSimulator;
using FuncScaler.ContestSimulator.Nodes;
using FuncScaler.ContestSimulator.Platform;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Traces.Presets;
using FuncScaler.Policies;

namespace FuncScaler.ScalerHost.Commands;

/// <summary><c>funcscaler contest</c>: platform and scaler over real sockets in one go, then the score.</summary>
internal static class ContestCommand
{
    /// <summary>The presets of a run without arguments: stand-ins for the contest's three data sets.</summary>
    private static readonly string[] DemoPresets = ["sparse", "dense", "faas"];

    private const double DemoSeconds = 35;
    private const double DemoSearchSeconds = 4 * 3600;
    private const double DemoTailSeconds = 5;
    private const double PresetSeconds = 60;
    private const double OfficialTailSeconds = 300;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static Command Create()
    {
        var trace = new TraceOptions();
        var policy = CommonOptions.Policy();
        var noWait = new Option<bool>("--no-wait") { Description = "Tie each miss to its own new instance instead of taking whatever comes first" };
        var tail = CommonOptions.Seconds("--tail", "How long live slots go on costing after the last request, s [default: 300 with --data, else 5]", most: CommonOptions.LongestRealSeconds);
        var scaler = CommonOptions.Address("--scaler", "Score the scaler at this address instead of our own");
        var wait = CommonOptions.Seconds("--scaler-timeout", "With --scaler: how long to wait at the start for it to answer, s [default: 10] (not with --edition 2020)", most: CommonOptions.LongestRealSeconds);
        var port = CommonOptions.Port("--port", "With --scaler: the port of the Platform service it calls", 50051);
        var output = CommonOptions.Path("--out", "Write result_<data set>.json into this folder", "DIR");
        var watch = new Option<bool>("--watch") { Description = "Serve a dashboard of each run while it lasts, and print where on standard error; with --scaler it shows what the platform sees (not with --edition 2020)" };
        var json = new Option<bool>("--json") { Description = "Print the results as one JSON array, and nothing else, on standard output" };
        var edition = NodeServing.Play();
        var load = new Option<string>("--load") { Description = $"With --edition 2020: what is played: {string.Join(", ", NodePresets.Names)}", HelpName = "LOAD", DefaultValueFactory = _ => NodePresets.Mixed };
        var weights = NodeServing.Weights("With --edition 2020: the weights of calls and of nodes", NodeWeights.Even);
        var apiPort = CommonOptions.OptionalPort("--api-port", "With --edition 2020: serve the contest's APIServer at this port while the load is played (the contest's is 10500); 0 for any free one");
        var worlds = CommonOptions.Whole(
            "--worlds", "With --edition 2020: also play the load in this many worlds that draw other times, in virtual time, and say what chance does to the score; 0 for none", NodeContestRun.Worlds, 0, 1000, "is no number of worlds", "give a whole number from 0 to 1000");
        var command = new Command("contest", "Play the contest: replay a trace in real time against the scaler over gRPC, and score it");
        trace.AddTo(command);
        foreach (var option in new Option[] { policy, noWait, tail, scaler, wait, port, output, watch, json, edition, load, weights, apiPort, worlds })
        {
            command.Options.Add(option);
        }

        command.SetAction(async (parsed, cancellationToken) =>
        {
            var choice = CommonOptions.ParsePolicy(parsed.GetValue(policy)!);
            var scalerAddress = parsed.GetValue(scaler);
            if (parsed.GetValue(edition) == NodeServing.Edition)
            {
                RefuseFor2020(parsed, [tail, noWait, wait, output], trace, watchesOther: scalerAddress is not null && parsed.GetValue(watch));
                List<NodeComparison> played =
                [
                    await NodeContestRun.RunAsync(
                        parsed.GetValue(load)!,
                        parsed.GetValue(trace.Seed),
                        parsed.GetValue(trace.Length) ?? NodeContestRun.LengthSeconds,
                        parsed.GetValue(weights),
                        choice.Name,
                        scalerAddress,
                        parsed.GetResult(port) is null or { Implicit: true } ? NodeServing.ResourceManagerPort : parsed.GetValue(port),
                        parsed.GetValue(watch),
                        (int?)parsed.GetValue(apiPort),
                        parsed.GetValue(worlds),
                        cancellationToken).ConfigureAwait(false),
                ];
                if (parsed.GetValue(json))
                {
                    Console.WriteLine(NodeSimulation.Json(played).ToJsonString(Indented));
                }
                else
                {
                    NodeSimulation.Print(played);
                }

                return 0;
            }

            if (Array.Find((Option[])[load, weights, apiPort, worlds], o => IsTyped(parsed, o)) is { } of2020)
            {
                throw new CommandException(CommandException.BadUsage, $"{of2020.Name} is for the contest on nodes: give --edition {NodeServing.Edition} too, or leave it out.");
            }

            var chosen = trace.Choose(parsed, cancellationToken, PresetSeconds);
            var runs = chosen is null
                ? MakeDemo(parsed.GetValue(trace.Seed))
                : [new ContestRun(chosen.Name, chosen.Trace, PathOf(chosen, "requests"), PathOf(chosen, "metas"))];
            if (scalerAddress is not null && runs.Count > 1)
            {
                throw new CommandException(CommandException.BadUsage, "--scaler needs one trace: give --data or --preset.");
            }

            var tailSeconds = parsed.GetValue(tail) ?? (chosen?.Folder is not null ? OfficialTailSeconds : DemoTailSeconds);
            var folder = parsed.GetValue(output);
            if (folder is not null)
            {
                Directory.CreateDirectory(folder);
            }

            await WarmUpAsync(choice, cancellationToken).ConfigureAwait(false);

            var jobs = new List<ContestJob>();
            foreach (var run in runs)
            {
                if (scalerAddress is not null)
                {
                    var options = PlatformOptions(scalerAddress, parsed.GetValue(port), tailSeconds);
                    if (parsed.GetValue(wait) is { } seconds)
                    {
                        options = options with { ScalerWait = TimeSpan.FromSeconds(seconds) };
                    }

                    jobs.Add(new(run, tailSeconds, (progress, token) => RunPlatformAsync(run, options, parsed.GetValue(watch), progress, token)));
                    continue;
                }

                var own = await OwnScaler.StartAsync(choice, !parsed.GetValue(noWait), OwnPlatform(tailSeconds), parsed.GetValue(watch), cancellationToken)
                    .ConfigureAwait(false);
                if (own.Dashboard is { } dashboard)
                {
                    SayWhere(run, dashboard);
                }

                jobs.Add(new(run, tailSeconds, (progress, token) => RunAsync(own, run, progress, token)));
            }

            var reports = await ContestProgress.RunAsync(jobs, cancellationToken).ConfigureAwait(false);
            if (folder is not null)
            {
                // A run that was stopped is printed, and leaves no file that would pass for a result.
                foreach (var report in reports.Where(r => r.Error is null))
                {
                    await WholeFile.WriteTextAsync(Path.Combine(folder, $"result_{FileName(report.Id)}.json"), report.ToResultJson() + "\n").ConfigureAwait(false);
                }
            }

            if (parsed.GetValue(json))
            {
                Console.WriteLine(new JsonArray([.. reports.Select(r => JsonNode.Parse(r.ToResultJson()))]).ToJsonString(Indented));
            }
            else
            {
                Print(reports, scalerAddress is null ? $"policy {choice.Name}" : $"scaler {scalerAddress.Authority}");
            }

            foreach (var misuse in reports.SelectMany(r => r.Misuses.Select(m => (r.Id, Misuse: m))))
            {
                await Console.Error.WriteLineAsync($"{misuse.Id}: {misuse.Misuse.Kind} {misuse.Misuse.Count} times, first: {misuse.Misuse.FirstExample}").ConfigureAwait(false);
            }

            foreach (var failed in reports.Where(r => r.Error is not null))
            {
                await Console.Error.WriteLineAsync($"error: {failed.Id}: {failed.Error}").ConfigureAwait(false);
            }

            return reports.All(r => r.Error is null) ? 0 : CommandException.Failed;
        });
        return command;
    }

    private static bool IsTyped(ParseResult parsed, Option option) => parsed.GetResult(option) is { Implicit: false };

    /// <exception cref="CommandException">An option was typed that means nothing on nodes.</exception>
    private static void RefuseFor2020(ParseResult parsed, Option[] others, TraceOptions trace, bool watchesOther)
    {
        if (Array.Find(others, o => IsTyped(parsed, o)) is { } other)
        {
            throw new CommandException(CommandException.BadUsage, $"{other.Name} does not go with --edition {NodeServing.Edition}: leave it out.");
        }

        if (trace.Sources(parsed).Count > 0)
        {
            throw new CommandException(CommandException.BadUsage, $"--edition {NodeServing.Edition} plays loads of its own: leave the trace out, and choose with --load.");
        }

        if (watchesOther)
        {
            throw new CommandException(CommandException.BadUsage, $"--watch shows our own scheduler where --edition is {NodeServing.Edition}: leave out --scaler, or --watch.");
        }
    }

    private static List<ContestRun> MakeDemo(long seed) =>
    [
        .. DemoPresets.Select(name =>
        {
            // The busiest stretch of four hours: a quiet one would show nothing.
            var trace = PresetCatalog.Create(name, seed, DemoSearchSeconds);
            var window = TraceWindow.Busiest(trace, DemoSeconds);
            return new ContestRun(name, new BoundedTrace(name, new TraceSlice(trace, window.OffsetSeconds, DemoSeconds), DemoSeconds));
        }),
    ];

    /// <summary>
    /// A second of requests against a scaler and a platform of their own, not counted: the first calls of a process run code that is not
    /// compiled yet, and a contest is about scalers, not about compilers.
    /// </summary>
    internal static async Task WarmUpAsync(PolicyChoice policy, CancellationToken cancellationToken)
    {
        var trace = new WarmUpTrace();
        var scaler = await OwnScaler.StartAsync(policy, waiting: true, OwnPlatform(tailSeconds: 0), watch: false, cancellationToken).ConfigureAwait(false);
        await RunAsync(scaler, new ContestRun(trace.Name, trace), new Progress<RunProgress>(), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes the run, and ends what it ran on.</summary>
    private static async Task<RunReport> RunAsync(OwnScaler scaler, ContestRun run, IProgress<RunProgress> progress, CancellationToken cancellationToken)
    {
        await using (scaler.ConfigureAwait(false))
        {
            return await scaler.RunAsync(run, progress, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<RunReport> RunPlatformAsync(
        ContestRun run, ContestPlatformOptions options, bool watch, IProgress<RunProgress> progress, CancellationToken cancellationToken)
    {
        // The scaler is somebody else's: what can be watched is the platform.
        var platform = PlatformDashboard.AddTo(options);
        await using (platform.ConfigureAwait(false))
        {
            await platform.StartAsync(cancellationToken).ConfigureAwait(false);
            if (watch)
            {
                SayWhere(run, new Uri($"http://127.0.0.1:{platform.ControlPort}/"));
            }

            return await platform.RunAsync(run, progress, cancellationToken).ConfigureAwait(false);
        }
    }

    private static void SayWhere(ContestRun run, Uri dashboard) => Console.Error.WriteLine($"{run.Id}: watch it at {dashboard}");

    private static ContestPlatformOptions OwnPlatform(double tailSeconds) => PlatformOptions(new Uri("http://127.0.0.1"), 0, tailSeconds);

    private static ContestPlatformOptions PlatformOptions(Uri scaler, int port, double tailSeconds) => new()
    {
        ScalerAddress = scaler,
        PlatformPort = port,
        ControlPort = 0,
        Tail = TimeSpan.FromSeconds(tailSeconds),
    };

    private static void Print(IReadOnlyList<RunReport> reports, string title)
    {
        var table = new TextTable(
            title,
            new("data set", IsNumber: false),
            new("requests", LeaveOut: 1),
            new("successRate", LeaveOut: 2),
            new("score"),
            new("resource score"),
            new("latency score"),
            new("cold starts", LeaveOut: 3),
            new("cold Assign - init p50", LeaveOut: 4),
            new("warm Assign + Idle mean", LeaveOut: 5));
        foreach (var report in reports)
        {
            var measured = report.Measured;
            table.Add(
                report.Id,
                Tables.Number(report.Score.Requests, "N0"),
                Tables.Number(100 * report.Score.SuccessRate, "0.##") + " %",
                Tables.Number(report.Score.Total, "0.00"),
                Tables.Number(report.Score.ResourceScore, "0.00"),
                Tables.Number(report.Score.LatencyScore, "0.00"),
                Tables.Number(measured.ColdStarts, "N0"),
                measured.ColdStartsFromCreation > 0 ? Tables.Number(measured.ColdAssignLessInitP50Ms, "0.0") + " ms" : "-",
                measured.WarmRequests > 0 ? Tables.Number(measured.WarmAssignMeanMs + measured.WarmIdleMeanMs, "0.00") + " ms" : "-");
        }

        if (reports.Count > 1)
        {
            table.Add(
                "mean",
                "",
                "",
                Tables.Number(reports.Average(r => r.Score.Total), "0.00"),
                Tables.Number(reports.Average(r => r.Score.ResourceScore), "0.00"),
                Tables.Number(reports.Average(r => r.Score.LatencyScore), "0.00"),
                "",
                "",
                "");
        }

        table.Write();
    }

    private static string PathOf(ChosenTrace chosen, string file) => chosen.Folder is null ? "" : Path.Combine(chosen.Folder, file);

    private static string FileName(string id) => string.Join('_', id.Split(Path.GetInvalidFileNameChars()));
}
