using System.CommandLine;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>Says what is wrong with a command line.</summary>
internal static class UsageError
{
    /// <summary>One sentence for what is not known at all, with what was probably meant; else what the options' own readers have to say.</summary>
    public static string Of(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        var line = command is RootCommand ? "funcscaler" : $"funcscaler {command.Name}";
        var help = $"See '{line} --help'.";
        if (parsed.UnmatchedTokens is not [var unknown, ..])
        {
            return command is RootCommand
                ? $"Name a command: {string.Join(", ", command.Subcommands.Select(c => c.Name))}. {help}"
                : $"{string.Join(" ", parsed.Errors.Select(e => e.Message))} {help}";
        }

        // What follows an option that is not known is its value, of which there is nothing to say.
        var shown = RemoteWords.Clean(unknown, 100);
        if (unknown.StartsWith('-'))
        {
            var meant = Nearest.Question(unknown, command.Options.Where(o => !o.Hidden).Select(o => o.Name).Append("--help"));
            return $"{line} has no option '{shown}': {meant}{help}";
        }

        return command is RootCommand
            ? $"There is no command '{shown}': {Nearest.Question(unknown, command.Subcommands.Select(c => c.Name))}{help}"
            : $"{line} takes nothing but options, and '{shown}' is none. {help}";
    }
}
