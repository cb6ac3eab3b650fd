using System.CommandLine;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;

namespace FuncScaler.ScalerHost.Commands;

/// <summary><c>funcscaler explain</c>: what a policy knows of a function at a time of a trace, and why it did what it did last.</summary>
internal static class ExplainCommand
{
    private const int Busiest = 8;

    public static Command Create()
    {
        var trace = new TraceOptions(tables: true);
        var function = new Option<string?>("--function") { Description = "The function's key", HelpName = "KEY" };
        var at = CommonOptions.Seconds("--at", "When to look, s since the first request [default: when the last request has ended]");
        var policy = CommonOptions.Policy();
        var rpc = CommonOptions.RpcMs();
        var json = new Option<bool>("--json") { Description = "Print one JSON document, and nothing else, on standard output" };
        var command = new Command("explain", "Show a function's histograms, plan, price and last decisions at a time of a trace, played in virtual time");
        trace.AddTo(command);
        foreach (var option in new Option[] { function, at, policy, rpc, json })
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, cancellationToken) =>
        {
            var chosen = trace.Choose(parsed, cancellationToken)
                ?? throw new CommandException(CommandException.BadUsage, $"Name a trace: give {trace.Names}.");
            var choice = CommonOptions.ParsePolicy(parsed.GetValue(policy)!);
            if (!choice.Explains)
            {
                throw new CommandException(CommandException.BadUsage, PolicyCatalog.NotExplained(choice));
            }

            var options = CommonOptions.ReadRpcMs(parsed, rpc, new VirtualOptions());
            var key = Known(chosen, parsed.GetValue(function), cancellationToken);
            var explanation = Explain(chosen, choice, key, parsed.GetValue(at), options, cancellationToken);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(ExplainOutput.Json(explanation));
            }
            else
            {
                ExplainOutput.Print(chosen.Name, choice.Name, explanation);
            }

            return Task.FromResult(0);
        });
        return command;
    }

    /// <summary>The function, if it has requests.</summary>
    /// <exception cref="CommandException">It has none, or none was named; the message lists the busiest.</exception>
    private static MetaKey Known(ChosenTrace chosen, string? key, CancellationToken cancellationToken)
    {
        var functions = chosen.Trace.Functions;
        var requests = new long[functions.Count];
        ReadingProgress.Run(
            "counting requests",
            () =>
            {
                foreach (var request in chosen.Trace.ReadRequests())
                {
                    requests[request.Function]++;
                }

                return requests;
            },
            cancellationToken);
        var ranked = Enumerable.Range(0, requests.Length).Where(i => requests[i] > 0).OrderByDescending(i => requests[i]).ToList();
        if (ranked.FindIndex(i => functions[i].Meta.Key.Value == key) is >= 0 and var found)
        {
            return functions[ranked[found]].Meta.Key;
        }

        var problem = key is null ? "Name a function with --function." : $"'{key}' has no request in {chosen.Name}.";
        throw new CommandException(
            CommandException.BadUsage,
            ranked.Count == 0
                ? $"{problem} Nor has any other: choose another part of the trace."
                : $"{problem} The busiest are: {string.Join(", ", ranked.Take(Busiest).Select(i => $"{functions[i].Meta.Key.Value} ({requests[i]})"))}.");
    }

    private static PolicyExplanation Explain(
        ChosenTrace chosen, PolicyChoice choice, MetaKey key, double? atSeconds, VirtualOptions options, CancellationToken cancellationToken)
    {
        var atUs = atSeconds is { } seconds ? (long)(seconds * 1e6) : (long?)null;
        PolicyExplanation? explanation = null;
        options = options with
        {
            Inspection = new VirtualInspection(key, atUs, (us, pool) => explanation = pool?.Explain(us)),

            // The time may lie between two requests that are further apart than the usual tail is long.
            TailUs = Math.Max(options.TailUs, atUs ?? 0),
        };

        // What comes after is of no interest; a request at the very time still is.
        ITrace played = atSeconds is { } until ? new TraceSlice(chosen.Trace, 0, until + 1e-6) : chosen.Trace;
        SimulateProgress.Run(
            [choice.Name],
            (report, token) => VirtualContest.Run(played, choice, options, new Relay<long>(done => report(0, done)), token),
            () => played.ReadRequests().LongCount(),
            cancellationToken);
        return explanation ?? throw new CommandException(
            CommandException.BadUsage, FormattableString.Invariant($"'{key.Value}' has had no request in the first {atSeconds} s: give a later --at."));
    }
}
