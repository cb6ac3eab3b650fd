using System.CommandLine;
using System.CommandLine.Parsing;
using FuncScaler.Policies;

namespace FuncScaler.ScalerHost.Commands.PolicyPrograms;

/// <summary>
/// Policies that are programs of their own, in any language: <c>--policy-command NAME=COMMAND</c>. Virtual time waits for each answer
/// (docs/reference/policy-programs.md). A program runs with the rights of this one: only commands that one trusts.
/// </summary>
internal static class PolicyProgram
{
    /// <summary>How long an answer may take unless told otherwise, s.</summary>
    public const double DefaultTimeoutSeconds = 10;

    public static Option<string[]> Commands() => new("--policy-command")
    {
        Description = "Offer a policy that is a program of its own, which is asked line by line in JSON: NAME=COMMAND; may be given more than once",
        HelpName = "NAME=COMMAND",
    };

    public static Option<double?> Timeout() =>
        CommonOptions.Seconds("--policy-timeout", "With --policy-command: how long an answer may take, s [default: 10]", least: 0.001, most: 86_400);

    /// <summary>The policies that commands name.</summary>
    /// <param name="commands">Each a name, an equals sign and a command line.</param>
    /// <param name="timeout">How long an answer may take.</param>
    /// <param name="taken">The policies that there are already.</param>
    /// <exception cref="CommandException">Not of that form, or a name is taken.</exception>
    public static IEnumerable<PolicyEntry> Read(IEnumerable<string> commands, TimeSpan timeout, IReadOnlyList<PolicyEntry> taken)
    {
        var names = taken.Select(p => p.Name).ToHashSet();
        foreach (var text in commands)
        {
            var equals = text.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? "" : text[..equals].Trim();
            string[] words = equals < 0 ? [] : [.. CommandLineParser.SplitCommandLine(text[(equals + 1)..])];
            if (name.Length == 0 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') || name.Contains("..", StringComparison.Ordinal) || words.Length == 0)
            {
                throw Wrong(text, "write a name of letters, digits, '-', '_' and '.', an equals sign and a command, for example mine='python3 mine.py'");
            }

            if (!names.Add(name) || name == "all")
            {
                throw Wrong(text, $"there is another policy '{name}': give it another name");
            }

            yield return new PolicyEntry(name, "OPTION", $"asks {words[0]}", reader =>
            {
                var option = reader.TakeAll();
                return new PolicyChoice(name, host =>
                {
                    var process = PolicyProcess.Start(name, words, option, timeout);
                    host.Own(process);
                    var pools = 0;
                    return function => new PolicyProgramPolicy(process, function.Key, ++pools);
                })
                {
                    // One program for all functions: it may look at them together.
                    SharesState = true,
                };
            });
        }
    }

    private static CommandException Wrong(string text, string what) =>
        new(CommandException.BadUsage, $"--policy-command \"{RemoteWords.Clean(text)}\": {what}.");
}
