using System.CommandLine;

namespace FuncScaler.ScalerHost.Commands;

/// <summary><c>funcscaler health</c>: asks a running scaler whether it serves; for images that have no other client.</summary>
internal static class HealthCommand
{
    public static Command Create()
    {
        var address = CommonOptions.Default(CommonOptions.Address("--address", "The address of the JSON API"), new Uri("http://127.0.0.1:8080"));
        var command = new Command("health", "Ask a running scaler whether it answers; exits with 0 if so") { address };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var health = new Uri(parsed.GetValue(address)!, "healthz");
            using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(3) };
            try
            {
                using var answer = await http.GetAsync(health, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
                return answer.IsSuccessStatusCode ? 0 : CommandException.Failed;
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
            {
                throw new CommandException(CommandException.Failed, $"No scaler answers at {health}: {e.Message}", e);
            }
        });
        return command;
    }
}
