using FuncScaler.ScalerHost.Commands;

namespace FuncScaler.Tests;

/// <summary>What the command line tells of itself.</summary>
public class CommandHelpTests
{
    [Theory]
    [InlineData("serve")]
    [InlineData("health")]
    [InlineData("token")]
    [InlineData("platform")]
    [InlineData("contest")]
    [InlineData("simulate")]
    [InlineData("explain")]
    [InlineData("generate")]
    [InlineData("soak")]
    public async Task The_help_of_each_command_has_examples_with_options_that_exist_and_the_exit_codes(string command)
    {
        var help = await FuncScalerCommand.RunAsync(command, "--help");

        Assert.Equal((0, ""), (help.ExitCode, help.Errors));
        Assert.Contains("Exit codes:", help.Output, StringComparison.Ordinal);
        var options = help.Output[..help.Output.IndexOf("Examples:", StringComparison.Ordinal)];
        foreach (var example in CommandHelp.Of(command))
        {
            Assert.Contains($"  {example}\n", help.Output, StringComparison.Ordinal);
            Assert.StartsWith($"funcscaler {command}", example, StringComparison.Ordinal);
            Assert.All(example.Split(' ').Where(word => word.StartsWith("--", StringComparison.Ordinal)), word => Assert.Contains($"  {word} ", options, StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("simulate --preset fa", "faas", "faas-long")]
    [InlineData("simulate --policy hyb", "hybrid-histogram")]
    [InlineData("serve --backend pro", "process")]
    [InlineData("sim", "simulate")]
    public async Task Shells_are_told_the_values_that_fit(string line, params string[] values)
    {
        var suggested = await FuncScalerCommand.RunAsync($"[suggest:{line.Length}]", line);

        Assert.Equal(values, suggested.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task The_version_names_the_commit()
    {
        var version = await FuncScalerProcess.RunAsync("--version");

        Assert.Matches(@"^\d+\.\d+\.\d+(\+[0-9a-f]{40})?\n$", version.Output);
    }

    [Theory]
    [InlineData("--polcy", "--policy")]
    [InlineData("simluate", "simulate")]
    [InlineData("srve", "serve")]
    [InlineData("banana", null)]
    [InlineData("", null)]
    public void A_misspelt_name_is_near_the_one_that_was_meant(string written, string? meant) =>
        Assert.Equal(meant, Nearest.Of(written, ["--policy", "--price", "simulate", "serve", "explain"]));

    [Fact]
    public void A_table_that_does_not_fit_leaves_columns_out_and_says_which()
    {
        var table = new TextTable("t", new("policy", IsNumber: false), new("score"), new("p50 ms", LeaveOut: 1), new("wasted GB·s", LeaveOut: 2));
        table.Add("adaptive", "60.15", "0.3", "1,148,712");

        Assert.Equal(("0 1 2 3", ""), Fit(80));
        Assert.Equal(("0 1 2 3", ""), Fit(38));
        Assert.Equal(("0 1 2", "wasted GB·s"), Fit(37));
        Assert.Equal(("0 1", "p50 ms, wasted GB·s"), Fit(10));

        (string Shown, string LeftOut) Fit(int width) => (string.Join(' ', table.Fit(width).Shown), string.Join(", ", table.Fit(width).LeftOut));
    }
}
