using FuncScaler.Tests.Backends;
using FuncScaler.Tests.FakeArm;
using Xunit.Abstractions;

namespace FuncScaler.Tests.State;

/// <inheritdoc cref="KilledScaler"/>
public sealed class KillBackendTests(ITestOutputHelper output) : KilledScaler(output)
{
    private const string PythonServer =
        "import http.server as h,os\\nclass H(h.BaseHTTPRequestHandler):\\n def do_GET(s): s.send_response(200); s.end_headers()\\n def log_message(s,*a): pass\\nh.HTTPServer(('127.0.0.1',int(os.environ['PORT'])),H).serve_forever()";

    [PythonFact(takesMinutes: true)]
    public async Task Killed_under_load_with_instances_that_are_processes()
    {
        var settings = Path.Combine(Folder.Path, "functions.json");
        await File.WriteAllTextAsync(settings, $$"""
            { "runtimes": { "go": { "command": ["{{Python.Path}}", "-S", "-c", "{{PythonServer}}"] } } }
            """);

        await KillAgainAndAgainAsync(["--backend", "process", "--functions", settings], between: null, slotsThatExist: null);
    }

    [LongFact]
    public async Task Killed_under_load_with_instances_that_are_container_groups()
    {
        await using var fake = await FakeArmServer.StartAsync();
        fake.MaxGroupsPerRegion = 1000;
        (fake.Provisioning, fake.Deleting) = (TimeSpan.FromMilliseconds(60), TimeSpan.FromMilliseconds(30));
        fake.Plant("slots", "somebody-elses");
        var settings = Path.Combine(Folder.Path, "aci.json");
        await File.WriteAllTextAsync(settings, FakeArmSettings.Of(fake, "kill", maxGroupsPerRegion: 40));

        await KillAgainAndAgainAsync(["--backend", "aci", "--aci", settings], between: null, () => fake.Groups.Count - 1);

        Output.WriteLine($"{fake.Created} groups were created");
        Assert.Equal(["slots/somebody-elses"], fake.Groups.Select(g => g.Id));
    }
}
