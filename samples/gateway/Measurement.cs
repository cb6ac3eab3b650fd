using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace FuncScaler.Samples.Gateway;

/// <summary>Calls functions through the gateway, as <c>curl</c> would, cold and warm, and prints what they took.</summary>
internal static class Measurement
{
    /// <returns>False when some call failed or was not started as intended.</returns>
    public static async Task<bool> RunAsync(GatewaySettings settings, IEnumerable<string> functions, TextWriter output, CancellationToken cancellationToken)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri(settings.Listen) };
        var ok = true;
        await output.WriteLineAsync("| function | start | calls | whole call p50, ms | p95 | of it Assign p50 | of it the instance p50 |");
        await output.WriteLineAsync("|---|---|---|---|---|---|---|");
        foreach (var function in functions)
        {
            var calls = new Dictionary<string, List<Call>> { ["cold"] = [], ["warm"] = [] };

            // The first call compiles the gateway's code, and the scaler's; it is not counted.
            await CallAsync(http, function, cancellationToken);
            for (var i = 0; i < settings.Measure; i++)
            {
                await DrainAsync(settings, function, cancellationToken);
                var cold = await CallAsync(http, function, cancellationToken);
                var warm = await CallAsync(http, function, cancellationToken);
                ok &= cold.Start == "cold" && warm.Start == "warm";
                calls["cold"].Add(cold);
                calls["warm"].Add(warm);
            }

            foreach (var (start, measured) in calls)
            {
                await output.WriteLineAsync(string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {function} | {start} | {measured.Count} | {Quantile(measured, c => c.WholeMs, 0.5):0.0} | {Quantile(measured, c => c.WholeMs, 0.95):0.0} | {Quantile(measured, c => c.AssignMs, 0.5):0.0} | {Quantile(measured, c => c.InstanceMs, 0.5):0.0} |"));
            }
        }

        if (!ok)
        {
            await output.WriteLineAsync("Some calls were not started as intended: is anybody else using the scaler, or is its policy not ttl:1?");
        }

        return ok;
    }

    private static async Task<Call> CallAsync(HttpClient http, string function, CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        using var body = new StringContent("the quick brown fox jumps over the lazy dog", Encoding.UTF8, "text/plain");
        using var response = await http.PostAsync(new Uri($"/invoke/{function}/", UriKind.Relative), body, cancellationToken);
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            throw new HttpRequestException($"{function}: {(int)response.StatusCode} {text}");
        }

        return new Call(
            response.Headers.GetValues("x-instance-start").Single(),
            Stopwatch.GetElapsedTime(start).TotalMilliseconds,
            Milliseconds("x-funcscaler-assign-ms"),
            Milliseconds("x-funcscaler-call-ms"));

        double Milliseconds(string header) => double.Parse(response.Headers.GetValues(header).Single(), CultureInfo.InvariantCulture);
    }

    /// <summary>Waits until the scaler has given every instance of the function back.</summary>
    private static async Task DrainAsync(GatewaySettings settings, string function, CancellationToken cancellationToken)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri(settings.Scalers[0]) };
        while ((await http.GetFromJsonAsync<JsonArray>("api/slots", cancellationToken))!.Any(s => s!["function"]!.GetValue<string>() == function))
        {
            await Task.Delay(50, cancellationToken);
        }
    }

    private static double Quantile(List<Call> calls, Func<Call, double> of, double share)
    {
        var sorted = calls.Select(of).Order().ToList();
        return sorted[(int)Math.Ceiling(share * sorted.Count) - 1];
    }

    private sealed record Call(string Start, double WholeMs, double AssignMs, double InstanceMs);
}
