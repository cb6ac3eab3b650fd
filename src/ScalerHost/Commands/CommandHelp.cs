using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>What <c>--help</c> tells beyond the options: examples, and what exit codes mean.</summary>
internal static class CommandHelp
{
    private static readonly Dictionary<string, (string Command, string What)[]> Examples = new()
    {
        ["funcscaler"] =
        [
            ("funcscaler contest --watch", "play the contest, and see in a browser what the scaler does"),
            ("funcscaler simulate --preset faas", "compare all policies in virtual time"),
            ("funcscaler serve", "run the scaler, with its dashboard at http://127.0.0.1:8080/"),
        ],
        ["serve"] =
        [
            ("funcscaler serve --policy ttl:30", "for a contest's platform on port 50051"),
            ("funcscaler serve --backend process --functions samples/functions.json", "start processes of this machine"),
            ("funcscaler serve --grpc-port 0 --http-port 0 --verbose", "on any free ports, with a log of what happens"),
        ],
        ["health"] = [("funcscaler health --address 127.0.0.1:8080", "0 where the scaler serves, else 1")],
        ["platform"] =
        [
            ("funcscaler platform --preset smoke --scaler 127.0.0.1:9001 --start", "score a scaler that runs already, and print the result"),
            ("funcscaler platform --data data/dataSet_1", "wait for POST /start on port 9000"),
        ],
        ["contest"] =
        [
            ("funcscaler contest", "three generated traces, about 45 s"),
            ("funcscaler contest --preset faas --length 120 --watch", "one trace, with a dashboard"),
            ("funcscaler contest --preset dense --scaler 127.0.0.1:9001", "score a scaler of somebody else's"),
        ],
        ["simulate"] =
        [
            ("funcscaler simulate --preset faas --policy adaptive,ttl:2", "two policies side by side"),
            ("funcscaler simulate --preset dense --length 3600 --latency-price 2", "sorted by cost, where a second of waiting is worth 2 GB·s"),
            ("funcscaler simulate --data data/dataSet_1 --out report", "with a report for a browser"),
        ],
        ["explain"] =
        [
            ("funcscaler explain --preset faas", "lists the busiest functions"),
            ("funcscaler explain --preset faas --function timer-0 --at 600", "one function after ten minutes"),
        ],
        ["token"] = [("funcscaler token", "a token for a caller, and its hash for the file of --security")],
        ["soak"] =
        [
            ("funcscaler soak --minutes 10", "ten minutes of worlds that nobody has seen"),
            ("funcscaler soak --seed 7 --schedules 1 --verbose", "one world, and all that happens in it"),
            ("funcscaler soak --backend aci", "a minute of worlds on Azure Container Instances"),
        ],
        ["generate"] = [("funcscaler generate --preset faas --seed 7 --length 600 --out data/faas-7", "ten minutes of a trace as a data set")],
    };

    /// <summary>Adds to the help of every command.</summary>
    public static void AddTo(RootCommand root)
    {
        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new WithExamples((HelpAction)help.Action!);
    }

    /// <summary>The examples of a command, each as it is typed.</summary>
    public static IEnumerable<string> Of(string command) => Examples[command].Select(e => e.Command);

    private sealed class WithExamples(HelpAction plain) : SynchronousCommandLineAction
    {
        // Whoever asks for help has not got the rest of the line right yet.
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            var code = plain.Invoke(parseResult);
            var output = parseResult.InvocationConfiguration.Output;
            var command = parseResult.CommandResult.Command;
            if (Examples.TryGetValue(command is RootCommand ? "funcscaler" : command.Name, out var examples))
            {
                output.WriteLine("Examples:");
                foreach (var (typed, what) in examples)
                {
                    output.WriteLine($"  {typed}");
                    output.WriteLine($"      {what}");
                }

                output.WriteLine();
            }

            output.WriteLine("Exit codes:");
            output.WriteLine("  0  it is done");
            output.WriteLine("  1  it could not be done, or was stopped; a sentence on standard error says why");
            output.WriteLine("  2  it was called wrongly; a sentence says what is wanted");
            output.WriteLine();
            return code;
        }
    }
}
