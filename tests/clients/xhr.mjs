// As much of XMLHttpRequest as React Native's has and react-native-sse uses, over node:http.
import http from 'node:http';

export class XMLHttpRequest {
  static UNSENT = 0;
  static OPENED = 1;
  static HEADERS_RECEIVED = 2;
  static LOADING = 3;
  static DONE = 4;

  readyState = 0;
  status = 0;
  responseText = '';
  timeout = 0;
  onreadystatechange = null;
  onerror = null;
  #headers = {};
  #aborted = false;

  open(method, url) {
    this.method = method;
    this.url = url;
    this.#move(1);
  }

  setRequestHeader(name, value) {
    this.#headers[name] = value;
  }

  send() {
    this.request = http.request(this.url, { method: this.method, headers: this.#headers,
      agent: false });
    this.request.on('response', (response) => {
      this.status = response.statusCode;
      this.#move(2);
      response.setEncoding('utf8');
      response.on('data', (piece) => {
        this.responseText += piece;
        this.#move(3);
      });
      response.on('end', () => this.#move(4));
      response.on('error', (fault) => this.#fail(fault));
    });
    this.request.on('error', (fault) => this.#fail(fault));
    this.request.end();
  }

  // React Native keeps the status and puts the fault where the text was.
  #fail(fault) {
    if (this.#aborted || this.readyState === 4) return;
    this.responseText = String(fault);
    this.#move(4);
    this.onerror?.();
  }

  #move(state) {
    if (this.#aborted) return;
    this.readyState = state;
    this.onreadystatechange?.();
  }

  abort() {
    this.#aborted = true;
    this.request?.destroy();
  }
}
