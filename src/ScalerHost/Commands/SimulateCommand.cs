using System.CommandLine;
using System.Globalization;
using FuncScaler.ContestSimulator.Experiments;
using FuncScaler.ContestSimulator.Nodes;
using FuncScaler.ContestSimulator.Reports;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using FuncScaler.ScalerHost.Commands.PolicyPrograms;

namespace FuncScaler.ScalerHost.Commands;

/// <summary><c>funcscaler simulate</c>: policies side by side on one trace, in virtual time.</summary>
internal static class SimulateCommand
{
    private const int MostThreads = 1024;

    public static Command Create()
    {
        var trace = new TraceOptions(tables: true, several: true);
        var policies = new Option<string>("--policy")
        {
            Description = "Policies, separated by commas; all for every one, A..B in an option for several values: " + string.Join("; ", PolicyCatalog.All.Select(p => $"{p.Usage}, {p.Summary}")),
            HelpName = "P,P",
            DefaultValueFactory = _ => "all",
            CompletionSources = { CommonOptions.PolicyNames },
        };
        var rpc = CommonOptions.RpcMs();
        var tail = CommonOptions.Seconds("--tail", "How long live slots go on costing after the last request, s [default: 300]");
        var noWait = new Option<bool>("--no-wait") { Description = "Tie each miss to its own new instance, as the papers' originals do" };
        var price = CommonOptions.LatencyPrice(otherwise: null, "; a price also sorts by cost");
        var restartAt = CommonOptions.Seconds("--restart-at", "End the scaler without notice so many s after the first request and start it anew; requests that wait are asked for again");
        var restartKeeps = new Option<RestartKeeps>("--restart-keeps")
        {
            Description = "What the new scaler takes over: all, instances (idle ones), learned (what the policy knows), or nothing",
            DefaultValueFactory = _ => RestartKeeps.All,
        };
        var measures = new MeasureOptions();
        var threads = CommonOptions.Whole("--threads", "Processors to use", Math.Min(Environment.ProcessorCount, MostThreads), 1, MostThreads, "is no number of processors", $"give 1 to {MostThreads}");
        var output = CommonOptions.Path("--out", "Write report.html and result.json into this folder; runs the two keep-alive sweeps of the report besides", "DIR");
        var json = new Option<bool>("--json") { Description = "Print one JSON document, and nothing else, on standard output" };
        var limits = CommonOptions.Path("--limits", "Floors, ceilings, concurrency, prices and groups of functions: a file as that of serve; its schedules are left out", "FILE");
        var seeds = new Option<string?>("--seeds") { Description = "Seeds of presets and of placements, for means over them: 1..20, or 1,3,7", HelpName = "N..M" };
        var boundOnly = new Option<bool>("--bound-only") { Description = "Work out the bound alone, without any policy" };
        var assembly = CommonOptions.Path("--policy-assembly", "Offer the policies of this file too: an assembly with a public IPolicySource", "DLL");
        var commands = PolicyProgram.Commands();
        var policyTimeout = PolicyProgram.Timeout();
        var markdown = new Option<bool>("--markdown") { Description = "Print the tables as Markdown" };
        var experiment = CommonOptions.Path("--experiment", "Take options from this file, a JSON object of them by name; what is typed besides is added", "FILE");
        var nodes = new Option<string?>("--nodes")
        {
            Description = $"Play the 2020 contest instead, where instances stand on nodes: {string.Join(", ", NodePresets.Names)}, or several with commas; --policy then names schedulers: {string.Join(", ", NodeSchedulers.Names)}, or any policy",
            HelpName = "LOAD",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var weights = new Option<string>("--weights")
        {
            Description = "With --nodes: the weights of calls and of nodes; several pairs with semicolons",
            HelpName = "W1,W2",
            DefaultValueFactory = _ => "0.5,0.5;0.75,0.25",
        };
        var workers = new Option<string?>("--workers")
        {
            Description = $"Run each policy on so many workers of the Functions app besides, 1 to {VirtualWorkerOptions.MostWorkers}: 1,2,4",
            HelpName = "N,N",
        };
        var routing = new Option<string>("--routing")
        {
            Description = "With --workers: a request goes to any worker, to its function's, or to that of the functions that it follows",
            DefaultValueFactory = _ => "random",
        };
        routing.AcceptOnlyFromAmong("random", "function", "group");
        var command = new Command("simulate", "Compare policies on a trace in virtual time, next to what perfect knowledge could reach");
        trace.AddTo(command);
        foreach (var option in (Option[])[policies, assembly, commands, policyTimeout, rpc, tail, noWait, restartAt, restartKeeps, price, .. measures.All, limits, seeds, boundOnly, threads, output, json, markdown, experiment, nodes, weights, workers, routing])
        {
            command.Options.Add(option);
        }

        command.SetAction(async (parsed, cancellationToken) =>
        {
            parsed = WithFile(command, parsed, parsed.GetValue(experiment));
            if (parsed.GetResult(nodes) is not null)
            {
                var comparisons = NodeSimulation.Run(
                    parsed.GetValue(nodes) ?? string.Join(',', NodePresets.Names),
                    parsed.GetResult(policies) is { Implicit: false } ? parsed.GetValue(policies) : null,
                    NodeSimulation.ParseWeights(parsed.GetValue(weights)!),
                    parsed.GetValue(seeds) is { } nodeSeeds ? SeedList.Parse(nodeSeeds) : [parsed.GetValue(trace.Seed)],
                    parsed.GetValue(trace.Length) ?? NodePresets.LengthSeconds,
                    parsed.GetValue(threads),
                    cancellationToken);
                if (parsed.GetValue(output) is { } nodeFolder)
                {
                    await NodeSimulation.SaveAsync(comparisons, parsed.GetValue(trace.Length) ?? NodePresets.LengthSeconds, nodeFolder).ConfigureAwait(false);
                }

                if (parsed.GetValue(json))
                {
                    Console.WriteLine(NodeSimulation.Json(comparisons).ToJsonString());
                }
                else
                {
                    NodeSimulation.Print(comparisons);
                }

                return 0;
            }

            var sources = trace.Sources(parsed);
            if (sources.Count == 0)
            {
                throw new CommandException(CommandException.BadUsage, $"Name a trace: give {trace.Names}.");
            }

            List<PolicyEntry> among = [.. PolicyCatalog.All, .. parsed.GetValue(assembly) is { } dll ? PolicyAssembly.Load(dll) : []];
            among.AddRange([.. PolicyProgram.Read(
                parsed.GetValue(commands) ?? [], TimeSpan.FromSeconds(parsed.GetValue(policyTimeout) ?? PolicyProgram.DefaultTimeoutSeconds), among)]);
            var choices = parsed.GetValue(boundOnly) ? [] : PolicyRanges.Parse(parsed.GetValue(policies)!, among);
            var latencyPrice = parsed.GetValue(price).Gbs;
            var (prices, sortBy) = measures.Read(parsed, latencyPrice);
            var folder = parsed.GetValue(output);
            var options = CommonOptions.ReadRpcMs(parsed, rpc, new VirtualOptions()) with
            {
                TailUs = (long)((parsed.GetValue(tail) ?? 300) * 1e6),
                Pool = new SlotPoolOptions { Waiting = !parsed.GetValue(noWait), LatencyPriceGbs = latencyPrice },
                CreateCostGbs = prices.CreateCostGbs,
                Restart = parsed.GetValue(restartAt) is { } atSeconds ? new VirtualRestart((long)(atSeconds * 1e6), parsed.GetValue(restartKeeps)) : null,
            };
            var plan = parsed.GetValue(limits) is { } limitsFile ? LimitsFile.ReadPlan(limitsFile) : null;
            if (plan is not null && (sources.Count > 1 || parsed.GetValue(seeds) is not null || choices.Count == 0 || parsed.GetValue(markdown)))
            {
                throw new CommandException(CommandException.BadUsage, "--limits goes with one trace and no --seeds, --markdown or --bound-only: an experiment's log would not tell runs with other limits apart.");
            }

            var seedList = parsed.GetValue(seeds) is { } list ? SeedList.Parse(list) : null;
            if (folder is not null)
            {
                Directory.CreateDirectory(folder);
            }

            var workerCounts = parsed.GetValue(workers) is { } counts ? ReadWorkers(counts) : [];
            if (workerCounts.Count > 0 && options.Restart is not null)
            {
                throw new CommandException(CommandException.BadUsage, "--restart-at is for a scaler that is alone: leave --workers out.");
            }

            if (sources.Count > 1 || seedList is not null || choices.Count == 0 || parsed.GetValue(markdown))
            {
                if (workerCounts.Count > 0)
                {
                    throw new CommandException(CommandException.BadUsage, "--workers goes with one trace and no --seeds, --markdown or --bound-only: leave one of them out.");
                }

                List<ExperimentTrace> traces =
                [
                    .. sources.SelectMany(source => (source.Seeded ? seedList ?? [parsed.GetValue(trace.Seed)] : [parsed.GetValue(trace.Seed)])
                        .Select(seed => (Seed: seed, Chosen: trace.Open(parsed, source, seed, cancellationToken)))
                        .Select(t => new ExperimentTrace(t.Chosen.Name, source.Seeded ? t.Seed : null, () => t.Chosen.Trace))),
                ];
                var runner = new ExperimentRunner(options, prices, ExperimentOutput.Build());
                IReadOnlyList<ExperimentRun> runs;
                try
                {
                    runs = Experiment(runner, traces, choices, parsed.GetValue(threads), folder, cancellationToken);
                }
                catch (OperationCanceledException)
                {
                    // What is done is worth showing; files of a part would pass for the whole.
                    if (runner.Complete is { Count: > 0 } complete)
                    {
                        ExperimentOutput.Print(TraceSummary.Of(complete, sortBy), prices, sortBy, parsed.GetValue(markdown), trace.Concurrency(parsed));
                    }

                    throw new CommandException(CommandException.Failed, folder is null
                        ? $"Stopped: {runner.Complete.Count / (choices.Count + 1)} of {traces.Count} traces were complete. With --out the same command goes on where it was stopped."
                        : $"Stopped: {runner.Complete.Count / (choices.Count + 1)} of {traces.Count} traces were complete. What has run is in {Path.Combine(folder, ExperimentLog.FileName)}, and the same command goes on from there.");
                }

                var summaries = TraceSummary.Of(runs, sortBy);
                if (folder is not null)
                {
                    await ResultFiles.WriteAsync(runs, folder, cancellationToken).ConfigureAwait(false);
                }

                if (parsed.GetValue(json))
                {
                    Console.WriteLine(ExperimentOutput.Json(runs, summaries, sortBy, trace.Concurrency(parsed)));
                }
                else
                {
                    ExperimentOutput.Print(summaries, prices, sortBy, parsed.GetValue(markdown), trace.Concurrency(parsed));
                }

                return 0;
            }

            var chosen = trace.Open(parsed, sources[0], parsed.GetValue(trace.Seed), cancellationToken);
            if (plan is not null)
            {
                chosen = chosen with { Trace = new SharedTrace(chosen.Trace, key => plan.BaseOf(key).Concurrency ?? trace.Concurrency(parsed), trace.Slowdown(parsed)) };
            }

            options = options with { RecordSeries = folder is not null, Limits = plan is null ? null : plan.BaseOf, Groups = plan?.Groups ?? [] };
            List<(PolicyChoice Policy, VirtualWorkerOptions? Workers)> asked =
            [
                .. choices.SelectMany(c => workerCounts.Select(n => new VirtualWorkerOptions
                {
                    Count = n,
                    Routing = Enum.Parse<WorkerRouting>(parsed.GetValue(routing)!, ignoreCase: true),
                    Seed = (int)(parsed.GetValue(trace.Seed) & int.MaxValue),
                }).Prepend(null).Select(w => (c, w))),
            ];
            var comparison = Compare(chosen, asked, sweep: folder is not null, options, parsed.GetValue(threads), prices, sortBy, cancellationToken);
            if (folder is not null)
            {
                await SimulateOutput.SaveAsync(comparison, TypedOptions(parsed), Settings(), folder).ConfigureAwait(false);
                var runs = ExperimentRunner.Of(
                    new ExperimentTrace(chosen.Name, sources[0].Seeded ? parsed.GetValue(trace.Seed) : null, () => chosen.Trace), comparison.Ranked, comparison.Bound, options, prices, ExperimentOutput.Build());
                await ResultFiles.WriteAsync(runs, folder, cancellationToken).ConfigureAwait(false);
            }

            if (parsed.GetValue(json))
            {
                Console.WriteLine(SimulateOutput.Json(comparison, forFile: false));
            }
            else
            {
                SimulateOutput.Print(comparison);
            }

            return 0;

            // What decides the figures, typed or not; how many processors there are does not.
            IReadOnlyList<(string Name, string Value)> Settings()
            {
                var of = CultureInfo.InvariantCulture;
                List<(string, string)> settings =
                [
                    .. sources[0].Seeded ? (IEnumerable<(string, string)>)[("Seed", parsed.GetValue(trace.Seed).ToString(of))] : [],
                    ("Part", string.Create(of, $"from {parsed.GetValue(trace.From) ?? 0} s") + (parsed.GetValue(trace.Length) is { } length ? string.Create(of, $", {length} s long") : " to the end")),
                    ("Tail", string.Create(of, $"{options.TailUs / 1e6} s")),
                    ("Wire", string.Create(of, $"{(options.AssignRpcUs + options.IdleRpcUs) / 1e3} ms")),
                    ("Misses", options.Pool.Waiting ? "wait or create" : "create"),
                    ("Price of waiting", latencyPrice is { } gbs ? string.Create(of, $"{gbs} GB·s per s") : "none"),
                    ("A create costs", string.Create(of, $"{prices.CreateCostGbs} GB·s")),
                    ("Requests an instance", trace.Concurrency(parsed).ToString(of)),
                    ("Sorted by", sortBy.Title),
                ];
                return settings;
            }
        });
        return command;
    }

    /// <summary>The command line again, as it can be typed.</summary>
    private static string TypedOptions(ParseResult parsed) => string.Join(' ', parsed.Tokens.Select(t => Quoted(t.Value)));

    private static string Quoted(string word) => word.All(c => char.IsAsciiLetterOrDigit(c) || "-_.,:/=".Contains(c, StringComparison.Ordinal))
        ? word
        : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static List<int> ReadWorkers(string list) =>
    [
        .. list.Split(',').Select(n => int.TryParse(n, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count is >= 1 and <= VirtualWorkerOptions.MostWorkers
            ? count
            : throw new CommandException(
                CommandException.BadUsage, $"--workers \"{list}\": \"{n}\" is no number of workers. Give numbers from 1 to {VirtualWorkerOptions.MostWorkers} with commas between them, as 1,2,4.")),
    ];

    /// <summary>The options of an experiment's file with those that were typed behind them.</summary>
    private static ParseResult WithFile(Command command, ParseResult parsed, string? file)
    {
        if (file is null)
        {
            return parsed;
        }

        var typed = parsed.Tokens.Select(t => t.Value).ToList();
        var at = typed.IndexOf("--experiment");
        if (at >= 0)
        {
            typed.RemoveRange(at, 2);
        }

        typed.Remove(command.Name);
        var whole = command.Parse([.. ExperimentFile.Read(file), .. typed]);
        return whole.Errors.Count == 0
            ? whole
            : throw new CommandException(CommandException.BadUsage, $"--experiment \"{file}\": {string.Join(" ", whole.Errors.Select(e => e.Message))}");
    }

    /// <summary>Runs an experiment, told on standard error where that is a terminal.</summary>
    private static IReadOnlyList<ExperimentRun> Experiment(
        ExperimentRunner runner,
        List<ExperimentTrace> traces,
        List<PolicyChoice> choices,
        int threads,
        string? folder,
        CancellationToken cancellationToken)
    {
        using var log = new ExperimentLog(folder);
        using var line = new ProgressLine("simulating");
        return runner.Run(
            traces, choices, threads, log, (ended, all) => line.Report(ended / all, string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(ended)} of {all} runs")), cancellationToken);
    }

    /// <summary>Every policy and the bound, as many at a time as there are processors; each reads the trace for itself.</summary>
    private static Comparison Compare(
        ChosenTrace chosen,
        List<(PolicyChoice Policy, VirtualWorkerOptions? Workers)> choices,
        bool sweep,
        VirtualOptions options,
        int threads,
        MeasurePrices prices,
        Measure sortBy,
        CancellationToken cancellationToken)
    {
        var swept = sweep ? SimulateOutput.Sweep : [];
        List<(PolicyChoice Policy, VirtualWorkerOptions? Workers)> runs = [.. choices, .. swept.Select(s => (PolicyCatalog.Parse(s.Policy), (VirtualWorkerOptions?)null))];
        var results = new VirtualResult?[runs.Count];
        ClairvoyantBound? bound = null;
        var perRun = options with { Parallelism = Math.Max(1, threads / runs.Count) };
        try
        {
            SimulateProgress.Run([.. runs.Select(r => VirtualContest.NameOf(r.Policy, r.Workers)), "clairvoyant"], (report, token) =>
                Parallel.For(0, runs.Count + 1, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = token }, i =>
                {
                    if (i == runs.Count)
                    {
                        bound = ClairvoyantBound.Of(chosen.Trace, options, token);
                        report(i, bound.Requests);
                    }
                    else
                    {
                        var recorded = perRun with { RecordSeries = options.RecordSeries && i < choices.Count, Workers = runs[i].Workers };
                        results[i] = VirtualContest.Run(chosen.Trace, runs[i].Policy, recorded, new Relay<long>(played => report(i, played)), token);
                    }
                }),
                () => chosen.Trace.ReadRequests().LongCount(),
                cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // What is done is worth showing; a report of a part would pass for the whole.
            var done = results.Take(choices.Count).OfType<VirtualResult>().ToList();
            if (done.Count > 0)
            {
                SimulateOutput.Print(chosen.Name, Comparison.Rank(done, sortBy), bound: null, Measures.Shown(prices, sortBy));
            }

            throw new CommandException(
                CommandException.Failed, $"Stopped: {done.Count} of {choices.Count} policies were complete. No file was written.");
        }

        return new Comparison(
            chosen.Name,
            [.. results.Take(choices.Count).Select(r => r!)],
            [.. swept.Zip(results.Skip(choices.Count), (s, r) => (s.Family, s.Label, r!))],
            bound!,
            prices,
            sortBy);
    }
}
