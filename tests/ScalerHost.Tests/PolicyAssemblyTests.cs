using System.Text.Json.Nodes;
using FuncScaler.Policies;
using FuncScaler.Policies.Basic;

namespace FuncScaler.Tests;

/// <summary>Policies in an assembly of their own: here this one.</summary>
public class PolicyAssemblyTests
{
    private static readonly string Dll = typeof(PolicyAssemblyTests).Assembly.Location;

    [Fact]
    public async Task Policies_of_an_assembly_stand_beside_the_others_with_options_and_ranges()
    {
        var result = await FuncScalerProcess.RunAsync(
            "simulate", "--preset", "smoke", "--length", "20", "--policy-assembly", Dll, "--policy", "ttl:7,theirs:5..10,theirs:7", "--json");

        Assert.Equal((0, ""), (result.ExitCode, result.Errors));
        var scores = JsonNode.Parse(result.Output)!["results"]!.AsArray().ToDictionary(r => (string)r!["policy"]!, r => (double)r!["score"]!);
        Assert.Equal(["clairvoyant", "theirs:10", "theirs:5", "theirs:7", "ttl:7"], scores.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(scores["ttl:7"], scores["theirs:7"]);
    }

    [Fact]
    public async Task An_assembly_that_cannot_be_used_is_told_in_one_sentence()
    {
        using var folder = new TemporaryFolder();
        (string Path, string Sentence)[] cases =
        [
            (Path.Combine(folder.Path, "nosuch.dll"), "there is no such file"),
            (folder.File("text.dll", "no assembly"), "cannot be used"),
            (typeof(IPolicySource).Assembly.Location, "it has no policy: write a public class that implements IPolicySource"),
        ];
        foreach (var (path, sentence) in cases)
        {
            var result = await FuncScalerCommand.RunAsync("simulate", "--preset", "smoke", "--policy-assembly", path);

            Assert.Equal((2, ""), (result.ExitCode, result.Output));
            Assert.Contains(sentence, result.Errors, StringComparison.Ordinal);
            Assert.Single(result.Errors.TrimEnd().Split('\n'));
        }
    }

    [Fact]
    public async Task Without_the_assembly_there_is_no_such_policy() =>
        Assert.Contains("There is no policy 'theirs'", (await FuncScalerProcess.RunAsync("simulate", "--preset", "smoke", "--policy", "theirs")).Errors, StringComparison.Ordinal);
}

/// <summary>What <see cref="PolicyAssemblyTests"/> loads.</summary>
public sealed class TheirPolicies : IPolicySource
{
    public IEnumerable<PolicyEntry> Policies =>
    [
        new("theirs", "S", "ttl by another name", reader =>
        {
            var options = new TtlPolicyOptions { KeepAlive = reader.Time("keep", TimeSpan.FromSeconds(1), main: true) };
            return new PolicyChoice("", _ => new TtlPolicy(options));
        }),
    ];
}
