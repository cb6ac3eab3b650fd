using System.CommandLine;

namespace FuncScaler.ScalerHost.Commands;

/// <summary><c>funcscaler health</c>: asks a running scaler whether it serves; for images that have no other client.</summary>
internal static class HealthCommand
{
    public static Command Create()
    {
        var address = CommonOptions.Address("--address", "The address of the JSON API; without http:// or https:// both are tried [default: 127.0.0.1:8080]");
        var command = new Command("health", "Ask a running scaler whether it answers; exits with 0 if so") { address };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var said = parsed.GetValue(address);
            var written = parsed.GetResult(address)?.Tokens.Count > 0 ? parsed.GetResult(address)!.Tokens[0].Value : "";
            var plain = said ?? new Uri("http://127.0.0.1:8080");
            var secure = new UriBuilder(plain) { Scheme = Uri.UriSchemeHttps, Port = plain.Port }.Uri;
            var refused = await AskAsync(plain, cancellationToken).ConfigureAwait(false);
            if (refused is not null && !written.Contains("://", StringComparison.Ordinal) && await AskAsync(secure, cancellationToken).ConfigureAwait(false) is null)
            {
                refused = null;
            }

            return refused is null ? 0 : throw refused;
        });
        return command;
    }

    /// <summary>Asks once.</summary>
    /// <returns>Why it is not healthy; null where it is.</returns>
    private static async Task<CommandException?> AskAsync(Uri address, CancellationToken cancellationToken)
    {
        var health = new Uri(address, "healthz");
        using var handler = new SocketsHttpHandler();
        if (address.IsLoopback)
        {
            // The certificate is for the name that callers use, and this machine is asked under another one. Nothing is sent that is secret.
#pragma warning disable CA5359
            handler.SslOptions.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        }

        using var http = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(3) };
        try
        {
            using var answer = await http.GetAsync(health, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
            return answer.IsSuccessStatusCode ? null : new CommandException(CommandException.Failed, $"The scaler at {health} answers {(int)answer.StatusCode}.");
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return new CommandException(CommandException.Failed, $"No scaler answers at {health}: {e.Message}", e);
        }
    }
}
