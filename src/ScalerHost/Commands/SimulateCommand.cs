using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using Spectre.Console;

namespace FuncScaler.ScalerHost.Commands;

/// <summary><c>funcscaler simulate</c>: policies side by side on one trace, in virtual time.</summary>
internal static class SimulateCommand
{
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static Command Create()
    {
        var trace = new TraceOptions(azure: true);
        var policies = new Option<string>("--policy")
        {
            Description = "Policies, separated by commas, or all: " + string.Join("; ", PolicyCatalog.All.Select(p => $"{p.Usage}, {p.Summary}")),
            HelpName = "P,P",
            DefaultValueFactory = _ => "all",
        };
        var rpc = new Option<double>("--rpc-ms") { Description = "What callers wait for the wire and the scaler per request, Assign and Idle together, ms", HelpName = "MS", DefaultValueFactory = _ => 0.3 };
        var tail = CommonOptions.Seconds("--tail", "How long live slots go on costing after the last request, s [default: 300]");
        var noWait = new Option<bool>("--no-wait") { Description = "Tie each miss to its own new instance, as the papers' originals do" };
        var threads = new Option<int>("--threads") { Description = "Processors to use", HelpName = "N", DefaultValueFactory = _ => Environment.ProcessorCount };
        var json = new Option<bool>("--json") { Description = "Print one JSON document, and nothing else, on standard output" };
        var command = new Command("simulate", "Compare policies on a trace in virtual time, next to what perfect knowledge could reach");
        trace.AddTo(command);
        foreach (var option in new Option[] { policies, rpc, tail, noWait, threads, json })
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, cancellationToken) =>
        {
            var chosen = trace.Choose(parsed)
                ?? throw new CommandException(CommandException.BadUsage, "Name a trace: give --data, --preset, --azure2019 or --azure2021.");
            var choices = ParsePolicies(parsed.GetValue(policies)!);
            if (!(parsed.GetValue(rpc) is >= 0 and <= 1e6))
            {
                throw new CommandException(CommandException.BadUsage, "--rpc-ms is a number of milliseconds: give 0 or more.");
            }

            var rpcUs = parsed.GetValue(rpc) * 1000;
            var options = new VirtualOptions
            {
                AssignRpcUs = (long)(rpcUs * 2 / 3),
                IdleRpcUs = (long)rpcUs - (long)(rpcUs * 2 / 3),
                TailUs = (long)((parsed.GetValue(tail) ?? 300) * 1e6),
                Pool = new SlotPoolOptions { Waiting = !parsed.GetValue(noWait) },
            };
            var (results, bound) = RunAll(chosen, choices, options, Math.Max(1, parsed.GetValue(threads)), cancellationToken);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(Document(chosen.Name, results, bound), Format));
            }
            else
            {
                Print(chosen.Name, results, bound);
            }

            return Task.FromResult(0);
        });
        return command;
    }

    private static List<PolicyChoice> ParsePolicies(string text) => text == "all"
        ? [.. PolicyCatalog.All.Select(p => PolicyCatalog.Parse(p.Name))]
        : [.. PolicyCatalog.SplitList(text).Select(CommonOptions.ParsePolicy)];

    /// <summary>Every policy and the bound, as many at a time as there are processors; each reads the trace for itself.</summary>
    private static (IReadOnlyList<VirtualResult> Results, ClairvoyantBound Bound) RunAll(
        ChosenTrace chosen,
        List<PolicyChoice> choices,
        VirtualOptions options,
        int threads,
        CancellationToken cancellationToken)
    {
        var results = new VirtualResult[choices.Count];
        ClairvoyantBound? bound = null;
        var perRun = options with { Parallelism = Math.Max(1, threads / Math.Max(1, choices.Count)) };
        SimulateProgress.Run([.. choices.Select(c => c.Name), "clairvoyant"], (report, token) =>
            Parallel.For(0, choices.Count + 1, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = token }, i =>
            {
                if (i == choices.Count)
                {
                    bound = ClairvoyantBound.Of(chosen.Trace, options, token);
                    report(i, bound.Requests);
                }
                else
                {
                    results[i] = VirtualContest.Run(chosen.Trace, choices[i], perRun, new Relay(played => report(i, played)), token);
                }
            }),
            () => chosen.Trace.ReadRequests().LongCount(),
            cancellationToken);
        return ([.. results.OrderByDescending(r => r.Score.Total).ThenBy(r => r.Policy, StringComparer.Ordinal)], bound!);
    }

    private static object Document(string name, IReadOnlyList<VirtualResult> results, ClairvoyantBound bound) => new
    {
        trace = name,
        requests = bound.Requests,
        results = results.Select(r => new
        {
            policy = r.Policy,
            score = r.Score.Total,
            resourceScore = r.Score.ResourceScore,
            latencyScore = r.Score.LatencyScore,
            coldStartShare = r.ColdStartShare,
            scheduleP50Ms = r.ScheduleTimes.PercentileMs(0.5),
            scheduleP95Ms = r.ScheduleTimes.PercentileMs(0.95),
            scheduleP99Ms = r.ScheduleTimes.PercentileMs(0.99),
            slotGbSeconds = r.Score.SlotGbSeconds,
            executionGbSeconds = r.Score.ExecutionGbSeconds,
            peakInstances = r.PeakInstances,
            elapsedSeconds = r.Elapsed.TotalSeconds,
        }),
        bound = new
        {
            policy = "clairvoyant",
            score = bound.Score,
            resourceScore = bound.ResourceScore,
            latencyScore = bound.LatencyScore,
            slotGbSeconds = bound.SlotGbSeconds,
            executionGbSeconds = bound.ExecutionGbSeconds,
        },
    };

    private static void Print(string name, IReadOnlyList<VirtualResult> results, ClairvoyantBound bound)
    {
        var table = new Table
        {
            Title = new TableTitle(string.Create(CultureInfo.InvariantCulture, $"{Markup.Escape(name)}: {bound.Requests:N0} requests")),
            Border = TableBorder.Rounded,
        };
        table.AddColumn("policy");
        foreach (var column in new[] { "score", "resource part", "cold-start part", "cold starts", "p50 ms", "p95 ms", "p99 ms", "wasted GBs", "peak" })
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        foreach (var r in results)
        {
            table.AddRow(
                Markup.Escape(r.Policy),
                Tables.Number(r.Score.Total, "0.00"),
                Tables.Number(r.Score.ResourceScore, "0.00"),
                Tables.Number(r.Score.LatencyScore, "0.00"),
                Tables.Number(100 * r.ColdStartShare, "0.00") + " %",
                Tables.Number(r.ScheduleTimes.PercentileMs(0.5), "0.0"),
                Tables.Number(r.ScheduleTimes.PercentileMs(0.95), "0.0"),
                Tables.Number(r.ScheduleTimes.PercentileMs(0.99), "0.0"),
                Tables.Number(r.WastedGbSeconds, "N0"),
                Tables.Number(r.PeakInstances, "N0"));
        }

        table.AddRow(
            "clairvoyant (bound)",
            Tables.Number(bound.Score, "0.00"),
            Tables.Number(bound.ResourceScore, "0.00"),
            Tables.Number(bound.LatencyScore, "0.00"),
            "",
            "",
            "",
            "",
            Tables.Number(bound.SlotGbSeconds - bound.ExecutionGbSeconds, "N0"),
            "");
        Tables.Write(table);
    }

    private sealed class Relay(Action<long> show) : IProgress<long>
    {
        public void Report(long value) => show(value);
    }
}
