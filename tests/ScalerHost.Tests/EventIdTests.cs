using System.Globalization;
using System.Text.RegularExpressions;

namespace FuncScaler.Tests;

/// <summary>Event ids of log messages, read from the sources of all projects: the programs are not all built into one test.</summary>
public sealed partial class EventIdTests
{
    [Fact]
    public void No_two_messages_have_the_same_event_id()
    {
        var messages = Messages().ToList();

        var twice = messages.GroupBy(m => m.Id).Where(g => g.Count() > 1).Select(g => $"{g.Key} in {string.Join(" and ", g.Select(m => m.Place))}");

        Assert.True(messages.Count > 40, $"only {messages.Count} messages were found");
        Assert.True(!twice.Any(), $"event ids used twice: {string.Join("; ", twice)}");
    }

    private static IEnumerable<(int Id, string Place)> Messages()
    {
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories))
        {
            var text = File.ReadAllText(file);
            foreach (Match attribute in Attribute().Matches(text))
            {
                var place = $"{Path.GetRelativePath(Repository.Root, file)}:{text[..attribute.Index].Count(c => c == '\n') + 1}";
                Assert.True(attribute.Groups["id"].Success, $"{place} gives no event id as the attribute's first argument");
                yield return (int.Parse(attribute.Groups["id"].Value, CultureInfo.InvariantCulture), place);
            }
        }
    }

    [GeneratedRegex(@"\[LoggerMessage\b(\(\s*(?<id>\d+),)?")]
    private static partial Regex Attribute();
}
