using System.CommandLine;
using FuncScaler.ContestSimulator.Reports;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;

namespace FuncScaler.ScalerHost.Commands;

/// <summary><c>funcscaler simulate</c>: policies side by side on one trace, in virtual time.</summary>
internal static class SimulateCommand
{
    private const int MostThreads = 1024;

    public static Command Create()
    {
        var trace = new TraceOptions(tables: true);
        var policies = new Option<string>("--policy")
        {
            Description = "Policies, separated by commas, or all: " + string.Join("; ", PolicyCatalog.All.Select(p => $"{p.Usage}, {p.Summary}")),
            HelpName = "P,P",
            DefaultValueFactory = _ => "all",
        };
        var rpc = CommonOptions.RpcMs();
        var tail = CommonOptions.Seconds("--tail", "How long live slots go on costing after the last request, s [default: 300]");
        var noWait = new Option<bool>("--no-wait") { Description = "Tie each miss to its own new instance, as the papers' originals do" };
        var price = CommonOptions.LatencyPrice("; a price also sorts by cost");
        var measures = new MeasureOptions();
        var threads = CommonOptions.Whole("--threads", "Processors to use", Math.Min(Environment.ProcessorCount, MostThreads), 1, MostThreads, "is no number of processors", $"give 1 to {MostThreads}");
        var output = CommonOptions.Path("--out", "Write report.html and result.json into this folder; runs the two keep-alive sweeps of the report besides", "DIR");
        var json = new Option<bool>("--json") { Description = "Print one JSON document, and nothing else, on standard output" };
        var command = new Command("simulate", "Compare policies on a trace in virtual time, next to what perfect knowledge could reach");
        trace.AddTo(command);
        foreach (var option in (Option[])[policies, rpc, tail, noWait, price, .. measures.All, threads, output, json])
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, cancellationToken) =>
        {
            var chosen = trace.Choose(parsed)
                ?? throw new CommandException(CommandException.BadUsage, $"Name a trace: give {trace.Names}.");
            var choices = ParsePolicies(parsed.GetValue(policies)!);
            var options = CommonOptions.ReadRpcMs(parsed, rpc, new VirtualOptions());
            var latencyPrice = parsed.GetValue(price);
            var (prices, sortBy) = measures.Read(parsed, latencyPrice);
            var folder = parsed.GetValue(output);
            if (folder is not null)
            {
                Directory.CreateDirectory(folder);
            }

            options = options with
            {
                TailUs = (long)((parsed.GetValue(tail) ?? 300) * 1e6),
                Pool = new SlotPoolOptions { Waiting = !parsed.GetValue(noWait), LatencyPriceGbs = latencyPrice },
                RecordSeries = folder is not null,
                CreateCostGbs = prices.CreateCostGbs,
            };
            var comparison = Compare(chosen, choices, sweep: folder is not null, options, parsed.GetValue(threads), prices, sortBy, cancellationToken);
            if (folder is not null)
            {
                SimulateOutput.Save(comparison, TypedOptions(parsed), folder);
            }

            if (parsed.GetValue(json))
            {
                Console.WriteLine(SimulateOutput.Json(comparison, forFile: false));
            }
            else
            {
                SimulateOutput.Print(comparison);
            }

            return Task.FromResult(0);
        });
        return command;
    }

    /// <summary>The command line again, as it can be typed.</summary>
    private static string TypedOptions(ParseResult parsed) => string.Join(' ', parsed.Tokens.Select(t => Quoted(t.Value)));

    private static string Quoted(string word) => word.All(c => char.IsAsciiLetterOrDigit(c) || "-_.,:/=".Contains(c, StringComparison.Ordinal))
        ? word
        : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static List<PolicyChoice> ParsePolicies(string text) => text == "all"
        ? [.. PolicyCatalog.All.Select(p => PolicyCatalog.Parse(p.Name))]
        : [.. PolicyCatalog.SplitList(text).Select(CommonOptions.ParsePolicy)];

    /// <summary>Every policy and the bound, as many at a time as there are processors; each reads the trace for itself.</summary>
    private static Comparison Compare(
        ChosenTrace chosen,
        List<PolicyChoice> choices,
        bool sweep,
        VirtualOptions options,
        int threads,
        MeasurePrices prices,
        Measure sortBy,
        CancellationToken cancellationToken)
    {
        var swept = sweep ? SimulateOutput.Sweep : [];
        List<PolicyChoice> runs = [.. choices, .. swept.Select(s => PolicyCatalog.Parse(s.Policy))];
        var results = new VirtualResult[runs.Count];
        ClairvoyantBound? bound = null;
        var perRun = options with { Parallelism = Math.Max(1, threads / runs.Count) };
        SimulateProgress.Run([.. runs.Select(c => c.Name), "clairvoyant"], (report, token) =>
            Parallel.For(0, runs.Count + 1, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = token }, i =>
            {
                if (i == runs.Count)
                {
                    bound = ClairvoyantBound.Of(chosen.Trace, options, token);
                    report(i, bound.Requests);
                }
                else
                {
                    var recorded = perRun with { RecordSeries = options.RecordSeries && i < choices.Count };
                    results[i] = VirtualContest.Run(chosen.Trace, runs[i], recorded, new Relay<long>(played => report(i, played)), token);
                }
            }),
            () => chosen.Trace.ReadRequests().LongCount(),
            cancellationToken);
        return new Comparison(
            chosen.Name,
            results[..choices.Count],
            [.. swept.Zip(results[choices.Count..], (s, r) => (s.Family, s.Label, r))],
            bound!,
            prices,
            sortBy);
    }
}
