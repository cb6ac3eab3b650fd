using System.Text.Json.Nodes;

namespace FuncScaler.Tests;

/// <summary>Policies that are programs of their own, from the command line to their answers.</summary>
public sealed class PolicyProgramTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [PythonFact]
    public async Task The_python_sample_decides_as_the_same_policy_in_CSharp()
    {
        var sample = Path.Combine(Repository.Root, "samples", "python-policy", "again.py");

        var result = await FuncScalerCommand.RunAsync(
            "simulate", "--preset", "smoke", "--length", "8", "--policy-assembly", typeof(PolicyProgramTests).Assembly.Location,
            "--policy-command", $"again-py={Python.Path} -S \"{sample}\"", "--policy", "again:1..2,again-py:1..2", "--json");

        Assert.Equal((0, ""), (result.ExitCode, result.Errors));
        var costs = JsonNode.Parse(result.Output)!["results"]!.AsArray().ToDictionary(r => (string)r!["policy"]!, r => (r!["score"]!.GetValue<double>(), r["creates"]?.GetValue<double>()));
        Assert.Equal(["again-py:1", "again-py:2", "again:1", "again:2", "clairvoyant"], costs.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(costs["again:1"], costs["again-py:1"]);
        Assert.Equal(costs["again:2"], costs["again-py:2"]);
        Assert.NotEqual(costs["again:1"], costs["again:2"]);
    }

    [PythonFact]
    public async Task Every_call_can_be_answered_and_no_program_is_left()
    {
        var seen = Path.Combine(_folder.Path, "seen");
        var result = await RunAsync($$"""
            names = set()
            answers = {"begin": {"protocol": 1, "waits": True, "calls": ["arrived", "miss", "keep", "surplus", "standby", "forgotten"]},
                       "arrived": {}, "miss": {"create": 1}, "surplus": {"keep": False}, "standby": {"create": 0, "reviewIdle": False}, "forgotten": {} }
            for line in sys.stdin:
                call = json.loads(line)
                names.add(call["call"])
                print(json.dumps(answers.get(call["call"]) or (dict() if call["call"] in answers else {"untilUs": call["nowUs"] + 1000000 })), flush=True)
            open("{{seen}}", "a").write(" ".join(sorted(names)) + "\n")
            """);

        Assert.Equal((0, ""), (result.ExitCode, result.Errors));

        // What is written after the last line of input is written before the command ends: it waits for the program.
        var names = Assert.Single(await File.ReadAllLinesAsync(seen)).Split(' ');
        Assert.Superset(new HashSet<string> { "arrived", "begin", "keep", "miss", "standby" }, new HashSet<string>(names));
    }

    [PythonTheory]
    [InlineData("sys.exit(3)", "at call 1 (begin), ended with exit code 3 and said nothing")]
    [InlineData("1 / 0", "at call 1 (begin), ended with exit code 1; it said last: ZeroDivisionError: division by zero")]
    [InlineData("begin(); sys.stdin.readline(); sys.exit(3)", "(keep of function '")]
    [InlineData("begin(); sys.stdin.readline(); print('here', flush=True)", "answered here, which is no JSON")]
    [InlineData("begin(); answer([])", "answered [], which is no JSON object")]
    [InlineData("begin(); answer({})", "which has no field \"untilUs\" that is a whole number from 0")]
    [InlineData("begin(); answer({'untilUs': -1})", "which has no field \"untilUs\" that is a whole number from 0")]
    [InlineData("begin(); answer({'untilUs': 1.5})", "which has no field \"untilUs\" that is a whole number from 0")]
    [InlineData("begin(); answer({'untilUs': 1, 'until': 2})", "which has a field \"until\" that means nothing here")]
    [InlineData("begin(); answer({'error': 'no such function'})", "says that it failed: \"no such function\"")]
    [InlineData("begin(); sys.stdin.readline(); print('x' * 70000, flush=True)", "answered with a line of more than 65536 bytes")]
    [InlineData("answer({'protocol': 2, 'calls': ['keep']})", "speaks protocol 2; this version speaks protocol 1")]
    [InlineData("answer({'protocol': 1, 'calls': ['kepe']})", "which has no field \"calls\" that is a list of arrived, miss, keep")]
    [InlineData("answer({'protocol': 1, 'calls': ['standby']})", "does not take the call keep")]
    public async Task A_program_that_fails_is_told_in_a_sentence(string script, string sentence)
    {
        var result = await RunAsync(script);

        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        var error = result.Errors.TrimEnd().Split('\n')[^1];
        Assert.StartsWith("error: The policy 'mine', at call ", error, StringComparison.Ordinal);
        Assert.Contains(sentence, error, StringComparison.Ordinal);
    }

    [PythonFact]
    public async Task A_program_that_hangs_is_ended_after_the_timeout()
    {
        var result = await RunAsync("begin(); sys.stdin.readline(); sys.stdin.readline()", "--policy-timeout", "0.5");

        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains("gave no answer within 0.5 s. Its output must be flushed after each line; --policy-timeout gives it longer", result.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mine", "write a name of letters, digits, '-', '_' and '.', an equals sign and a command")]
    [InlineData("=python3 mine.py", "write a name of letters")]
    [InlineData("a,b=python3 mine.py", "write a name of letters")]
    [InlineData("mine=", "write a name of letters")]
    [InlineData("ttl=python3 mine.py", "there is another policy 'ttl': give it another name")]
    [InlineData("mine=./no-such-program", "the program \"./no-such-program\" cannot be started")]
    public async Task A_command_that_cannot_be_used_is_told_in_a_sentence(string command, string sentence)
    {
        var result = await FuncScalerCommand.RunAsync("simulate", "--preset", "smoke", "--length", "5", "--policy-command", command, "--policy", "mine");

        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.Contains(sentence, result.Errors, StringComparison.Ordinal);
    }

    private Task<(int ExitCode, string Output, string Errors)> RunAsync(string script, params string[] more)
    {
        var file = _folder.File("mine.py", $"""
            import json, sys

            def answer(what):
                sys.stdin.readline()
                print(json.dumps(what), flush=True)

            def begin():
                answer(dict(protocol=1, calls=["keep"]))

            {script}
            """);
        return FuncScalerCommand.RunAsync(
            ["simulate", "--preset", "smoke", "--length", "5", "--policy-command", $"mine={Python.Path} -S {file}", "--policy", "mine", "--threads", "1", "--json", .. more]);
    }
}
