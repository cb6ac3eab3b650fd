namespace FuncScaler.Samples.Gateway;

/// <summary>Settings, from the command line (<c>--scaler http://...</c>) or the environment.</summary>
internal sealed class GatewaySettings
{
    /// <summary>The scaler's JSON API; several with commas between them, see <see cref="ScalerRing"/>.</summary>
    public string Scaler { get; set; } = "http://127.0.0.1:8080";

    /// <summary>The same as a list.</summary>
    public string[] Scalers => Scaler.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>The token that the scaler knows the gateway by; empty for a scaler that asks for none. Better in the environment than in arguments.</summary>
    public string Token { get; set; } = "";

    /// <summary>Where the gateway listens.</summary>
    public string Listen { get; set; } = "http://127.0.0.1:8000";

    /// <summary>The file that the scaler reads its functions from; others are answered with 404. Empty for whatever the scaler knows.</summary>
    public string Functions { get; set; } = "";

    /// <summary>The memory of an instance, MB, where the file does not say it.</summary>
    public int MemoryMb { get; set; } = 256;

    /// <summary>How long one request may take, s, where the file does not say it.</summary>
    public int TimeoutSeconds { get; set; } = 30;

    /// <summary>After how many ms of waiting for an instance a browser gets a page that asks again; 0 for never.</summary>
    public int WaitingPageMs { get; set; }

    /// <summary>Instead of serving: measure so many cold and so many warm calls of each function of the file, print a table and end.</summary>
    public int Measure { get; set; }
}
